"""Signing in at a provider (OpenID Connect) by the machinery of `st.login`: its routes, its cookie, its secrets."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, SignInRefused
from kenpin.security.oidc import SignedInElsewhere, signed_in_elsewhere

NAME = "kenpin"
"""What the provider is called inside Streamlit's secrets."""
USER_COOKIES = "_streamlit_user"


@dataclass(frozen=True)
class Provider:
    """The provider that the settings name."""

    metadata_url: str
    client_id: str
    client_secret: str
    redirect_uri: str
    label: str
    key: str
    """Signs Streamlit's cookie; made anew with each start, so that no cookie outlives the server."""

    @classmethod
    def of(cls, settings: Settings, *, address: str) -> "Provider | None":
        """As set; None if none is.

        Args:
            settings: Those of this installation.
            address: Where the pages are, unless `public_url` says so.
        Raises:
            BadInput: Something is missing.
        """
        if settings.oidc_url is None:
            return None
        if not settings.oidc_client_id or settings.oidc_client_secret is None:
            raise BadInput("KENPIN_OIDC_URL is set; set KENPIN_OIDC_CLIENT_ID and KENPIN_OIDC_CLIENT_SECRET as well")
        return cls(
            metadata_url=settings.oidc_url, client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret.get_secret_value(),
            redirect_uri=f"{(settings.public_url or address).rstrip('/')}/oauth2callback",
            label=settings.oidc_label, key=secrets.token_urlsafe(32),
        )

    @property
    def secrets(self) -> Mapping[str, Any]:
        """For `App(secrets=...)`. `prompt=login` makes the provider ask for the person, not only for a cookie."""
        return {"auth": {
            "redirect_uri": self.redirect_uri, "cookie_secret": self.key,
            NAME: {"client_id": self.client_id, "client_secret": self.client_secret,
                   "server_metadata_url": self.metadata_url,
                   "client_kwargs": {"scope": "openid email profile", "prompt": "login"}},
        }}

    def sign_in_path(self) -> str:
        """Where `st.login` would send the browser now."""
        from streamlit.auth_util import encode_provider_token

        return f"/auth/login?provider={quote(encode_provider_token(NAME), safe='')}"

    def sign_out_path(self, request: Request) -> str | None:
        """Where `st.logout` would send the browser, if it has a sign-in of the provider."""
        return "/auth/logout" if USER_COOKIES in request.cookies else None

    def forget(self, answer: Response, request: Request) -> None:
        """Take the provider's sign-in from a browser that signs in here as somebody else."""
        for name in request.cookies:
            if name.startswith(USER_COOKIES):
                answer.delete_cookie(name)

    def came(self, asked: HTTPConnection) -> SignedInElsewhere | None:
        """Who has signed in there, by Streamlit's signed cookie."""
        if USER_COOKIES not in asked.cookies:
            return None
        from streamlit.web.server.starlette.starlette_websocket import _get_signed_cookie_with_chunks

        raw = _get_signed_cookie_with_chunks(dict(asked.cookies), USER_COOKIES)
        if not raw:
            return None
        try:
            claims = json.loads(raw)
            return signed_in_elsewhere(claims, key=self.key) if claims.get("is_logged_in") else None
        except (ValueError, AttributeError, SignInRefused):
            return None
