"""The one reader of settings: variables `KENPIN_…`, then `kenpin.toml` in the data folder, then defaults."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from kenpin.contracts.errors import FileRefused

PlannerName = Literal["embedded", "vllm", "local"]
FallbackName = Literal["embedded", "local"]
CoordinateFrame = Literal["auto", "per_mille", "resized"]


def default_home() -> Path:
    """Folder of Kenpin's data: `KENPIN_HOME`, or `kenpin` in the user's data folder."""
    if home := os.environ.get("KENPIN_HOME"):
        return Path(home)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "kenpin"


class Settings(BaseSettings):
    """Everything that can be set. One setting switches each part; see `docs/settings.md`."""

    model_config = SettingsConfigDict(env_prefix="KENPIN_", extra="ignore", frozen=True)

    home: Path = Field(default_factory=default_home)
    planner: PlannerName = "embedded"
    planner_fallback: FallbackName | None = None
    """The planner that answers a turn whose planner is gone, which the trace and the page then say; None stops the
    turn, to be gone on with later."""
    lang: Literal["auto", "en", "ja"] = "auto"

    vllm_url: str = "http://127.0.0.1:8000/v1"
    """Base URL of an OpenAI-compatible server."""
    vllm_model: str | None = None
    """Model to ask for; None takes the first that the server lists."""
    vllm_key: SecretStr | None = None
    vllm_frame: CoordinateFrame = "auto"
    """What the model's boxes mean: 0–1000 of the picture, or pixels of the resized picture."""
    vllm_pictures: int = Field(default=6, ge=1, le=64)
    """Pictures a request at most; the newest stay."""
    vllm_long_side: int = Field(default=1024, ge=112, le=4096)
    """Pictures are sent at most this large, in pixels."""
    vllm_python: Path | None = None
    """A Python that has vLLM, for `kenpin serve`; None takes the environment of `make vllm`, or this one."""
    adapters: Path | None = None
    """Folder of LoRA adapters that may be loaded into the server while it runs; None is `adapters` in `home`."""
    vllm_timeout: float = Field(default=60.0, gt=0)
    vllm_retries: int = Field(default=2, ge=0, le=10)

    local_model: Path | None = None
    """Folder of the model that the planner `local` runs in this process."""
    local_adapter: Path | None = None
    """Folder of a LoRA adapter for it."""
    local_context: int = Field(default=32768, ge=2048)
    """Tokens of a prompt and its reply; no more than the model was made for."""

    database_url: SecretStr | None = None
    """SQLAlchemy URL of PostgreSQL (`postgresql://user:password@host/name`); None keeps the records in SQLite in
    `home`. A secret, since it holds a password."""
    key_file: Path | None = None
    """File of the master key; None keeps it in `home`, where a copy of the folder takes it along."""
    master_key: SecretStr | None = None
    """The master key itself, base64 of 32 bytes; wins over `key_file`."""
    new_master_key: SecretStr | None = None
    """The key that `kenpin keys rotate` puts in the place of `master_key`. Both are used while it is set."""
    session_minutes: float = Field(default=30.0, gt=0)
    """A session ends after so long without anything done."""
    session_hours: float = Field(default=12.0, gt=0)
    """A session ends after so long in any case."""

    public_url: str | None = None
    """Address of the pages as people type it, `https://kenpin.example.com`, where a proxy stands before them."""
    allowed_hosts: str = ""
    """More names that the server answers to, separated by commas."""
    oidc_url: str | None = None
    """Metadata of an OpenID Connect provider, `https://…/.well-known/openid-configuration`; None for accounts with
    passwords only."""
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_label: str = "OpenID Connect"
    """What the sign-in page calls the provider."""

    max_steps: int = Field(default=32, ge=1, le=200)
    max_seconds: float = Field(default=180.0, gt=0)

    chroma_host: str | None = None
    """A Chroma server; None keeps the cases in a folder of `home`."""
    chroma_port: int = 8000
    embed_url: str | None = None
    """Base URL of an OpenAI-compatible pooling server for embeddings; None uses the offline embedder."""
    embed_model: str | None = None
    embed_key: SecretStr | None = None
    embed_timeout: float = Field(default=20.0, gt=0)
    """Seconds that the embedding server gets for a request."""

    @property
    def names_vllm(self) -> bool:
        """Whether a server was named: as the planner, or by an address of its own. No other is asked."""
        return self.planner == "vllm" or self.vllm_url != type(self).model_fields["vllm_url"].default

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, toml_file=default_home() / "kenpin.toml")
        return init_settings, env_settings, toml


def read_settings(**given: object) -> Settings:
    """Read the settings; arguments that are not None come first.

    Raises:
        FileRefused: A setting has a value that cannot be; one line names it.
    """
    try:
        settings = Settings(**{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as exc:
        parts = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors(include_url=False)]
        raise FileRefused(f"settings: {'; '.join(parts)} (environment KENPIN_… or kenpin.toml)") from None
    except (ValueError, OSError) as exc:
        raise FileRefused(f"kenpin.toml cannot be read: {exc}") from None
    # Named for one command, a planner may be the one that otherwise stands in: then none does.
    if settings.planner_fallback == settings.planner and not given.get("planner"):
        raise FileRefused(f"settings: planner_fallback is {settings.planner}, which is the planner itself; name "
                          f"another one, or none (environment KENPIN_PLANNER_FALLBACK or kenpin.toml)")
    return settings
