"""Signatures: what stands, what would be signed, the person shown again, revoking and amending."""

from collections.abc import Callable
from urllib.parse import quote

import streamlit as st

from kenpin.contracts.errors import KenpinError
from kenpin.contracts.people import Actor, Proof, Right
from kenpin.contracts.review import LOCKED, MOST_TEXT, Dossier, Meaning, StandingSignature, State
from kenpin.contracts.verdict import Verdict
from kenpin.review.signing import check_may_sign
from ui.backend import services
from ui.i18n import Texts
from ui.parts.answer import verdict_badge
from ui.parts.desk import Desk, told
from ui.parts.plain import plain
from ui.parts.results import kind_words

MEANINGS = tuple(meaning.value for meaning in Meaning)
ICONS = {Meaning.REVIEWED: "visibility", Meaning.APPROVED: "verified", Meaning.REJECTED: "unpublished"}
HASH = 16
"""Digits of a hash that are shown: 64 bits, more than anyone could make collide by chance."""
MOST_PASSWORD = 1024


def show_signing(desk: Desk, seen: Dossier, actor: Actor, t: Texts) -> None:
    """The signatures that stand, and what this person may do about signing."""
    with st.container(border=True, key="signing"):
        st.markdown(f"**:material/draw: {t('review.signatures', n=len(seen.signatures), needed=seen.needed)}**")
        for signature in seen.signatures:
            _signature(signature, t)
        if not seen.signatures:
            st.caption(t("review.unsigned"))
        if Right.SIGN not in actor.rights or seen.state is State.OPEN:
            return
        if seen.state in (State.SIGNED, State.REJECTED):
            _closed(desk, seen, actor, t)
            return
        refused = _refusal(actor, seen)
        if refused:
            st.caption(f":material/info: {plain(refused)}")
        else:
            _form(desk, seen, t)
        told(desk, "sign")
        if seen.state in LOCKED:
            _closed(desk, seen, actor, t)


def short_hash(sha256: str) -> str:
    """The beginning of a hash as Markdown code."""
    return f"`{sha256[:HASH]}…`"


def _signature(standing: StandingSignature, t: Texts) -> None:
    signed = standing.signature
    line = t("review.signed_by", name=signed.printed_name, account=standing.by, n=standing.n,
             at=f"{standing.at.astimezone():%Y-%m-%d %H:%M:%S %Z}")
    st.markdown(f":material/{ICONS[signed.meaning]}: **{t('meaning.' + signed.meaning)}** — {line} "
                f"{short_hash(signed.content_sha256)}")


def _refusal(actor: Actor, seen: Dossier) -> str | None:
    """Why this person cannot sign at all, in the service's own words."""
    try:
        check_may_sign(actor, seen, Meaning.REJECTED)
    except KenpinError as exc:
        return str(exc)
    return None


def _form(desk: Desk, seen: Dossier, t: Texts) -> None:
    decision = seen.decision
    with st.form(desk.key("sign-form"), border=False):
        st.markdown(t("review.you_sign") + f" {verdict_badge(decision.verdict, t)} &nbsp; {_defects(seen, t)}")
        st.caption(_content(seen, t))
        only_reject = decision.verdict is Verdict.UNCERTAIN
        if only_reject:
            st.caption(f":material/info: {t('review.uncertain')}")
        st.segmented_control(t("review.meaning"), MEANINGS, default=None, key=desk.key("meaning"),
                             format_func=lambda m: t("meaning." + m), help=t("review.meaning_help"))
        _proof(desk, "sign-password", t)
        st.form_submit_button(t("review.sign"), key="sign", type="primary", icon=":material/draw:", on_click=_sign,
                              args=(desk, seen.content_sha256))


def _defects(seen: Dossier, t: Texts) -> str:
    real = [finding for finding in seen.decision.findings if finding.real]
    names = ", ".join(f"{plain(f.id)} {kind_words(f.type, t)}" for f in real[:8])
    more = f" … +{len(real) - 8}" if len(real) > 8 else ""
    return f"{t('review.n_defects', n=len(real))}{': ' + names if names else ''}{plain(more)}"


def _content(seen: Dossier, t: Texts) -> str:
    revision = seen.trace.criteria.revision if seen.trace.criteria else None
    parts = [t("review.content") + " " + short_hash(seen.content_sha256 or "")]
    undecided = sum(finding.decision == "proposed" for finding in seen.decision.findings)
    if revision:
        parts.append(t("review.revision", revision=revision))
    if undecided:
        parts.append(f":orange[{t('review.undecided', n=undecided)}]")
    return " · ".join(parts)


def _proof(desk: Desk, name: str, t: Texts) -> None:
    """The password again; nothing to type for a person who signs in at a provider: that sign-in must be fresh."""
    if by_provider(desk.actor):
        st.caption(f":material/key: {t('review.fresh')}")
        way_back = quote(f"/inspection?inspection={quote(desk.inspection, safe='')}", safe="")
        # A link in this window; Streamlit's own would open another, with a session of its own.
        st.html(f'<a href="/auth/elsewhere?next={way_back}" target="_self">{t.raw("review.fresh_now")}</a>')
        return
    st.text_input(t("review.password"), key=desk.key(name), type="password", max_chars=MOST_PASSWORD,
                  autocomplete="current-password")


def _closed(desk: Desk, seen: Dossier, actor: Actor, t: Texts) -> None:
    """Revoke one's own signature; open the record for changes."""
    own = [s for s in seen.signatures if s.by == actor.name]
    with st.container(horizontal=True, gap="small"):
        for standing in own:
            with st.popover(t("review.revoke", n=standing.n), icon=":material/undo:"):
                _reasoned(desk, "revoke", t, t("review.revoke_help"), _revoke, (desk, standing.n), proof=True)
        with st.popover(t("review.amend"), icon=":material/edit_note:"):
            _reasoned(desk, "amend", t, t("review.amend_help"), _amend, (desk,), proof=False)
    told(desk, "revoke")
    told(desk, "amend")


def _reasoned(desk: Desk, name: str, t: Texts, words: str, act: Callable[..., None], args: tuple[object, ...], *,
              proof: bool) -> None:
    with st.form(desk.key(f"{name}-form"), border=False):
        st.caption(words)
        st.text_area(t("review.reason"), key=desk.key(f"{name}-why"), max_chars=MOST_TEXT, height=68)
        if proof:
            _proof(desk, f"{name}-password", t)
        st.form_submit_button(t("review.do_it"), key=name, type="primary", icon=":material/check:", on_click=act,
                              args=args)


def by_provider(actor: Actor) -> bool:
    """Whether this person signed in at a provider, not by a password."""
    return actor.kind == "account" and services().people.method(actor) == "oidc"


def _shown_again(desk: Desk, name: str) -> Proof:
    """What the person shows again. The field is emptied whatever comes of it."""
    if by_provider(desk.actor):
        return Proof(method="oidc")
    secret = desk.text(name)
    st.session_state[desk.key(name)] = ""
    return Proof(method="password", secret=secret)


def _sign(desk: Desk, content: str | None) -> None:
    actor, head, meaning = desk.actor, desk.head, desk.choice("meaning")
    proof = _shown_again(desk, "sign-password")
    if meaning not in MEANINGS:
        desk.refuse("sign", "review.no_meaning")
        return
    desk.act("sign", lambda reviews: reviews.sign(
        actor, desk.inspection, head=head, meaning=Meaning(meaning), proof=proof, content_sha256=content or ""))


def _revoke(desk: Desk, n: int) -> None:
    actor, head, proof = desk.actor, desk.head, _shown_again(desk, "revoke-password")
    desk.act("revoke", lambda reviews: reviews.revoke(
        actor, desk.inspection, n, head=head, why=desk.text("revoke-why"), proof=proof), empties=("revoke-why",))


def _amend(desk: Desk) -> None:
    actor, head = desk.actor, desk.head
    desk.act("amend", lambda reviews: reviews.amend(
        actor, desk.inspection, head=head, why=desk.text("amend-why")), empties=("amend-why",))


