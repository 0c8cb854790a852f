"""The rules by which the inspections of a product are reviewed and kept."""

import streamlit as st

from kenpin.contracts.errors import KenpinError
from kenpin.contracts.people import Actor
from kenpin.contracts.review import Rules
from ui.backend import installation
from ui.i18n import Texts
from ui.parts.uploads import say_error

MOST_DAYS = 36_500


def show_rules(actor: Actor, t: Texts) -> None:
    """Choose a product and set its rules."""
    reviews = installation().reviews
    own = {rules.product: rules for rules in reviews.all_rules(actor)}
    known = {product.name for product in installation().products.all()} | set(reviews.choices(actor).products)
    names = ["", *sorted((known | set(own)) - {""})]
    product = st.selectbox(t("rules.product"), names, key=f"rules-product-{t.lang}",
                           format_func=lambda name: name or t.raw("rules.others"))
    if product and product not in own:
        st.caption(t("rules.inherited"))
    _form(actor, own.get(product) or reviews.rules(actor, product).model_copy(update={"product": product}), t)


def _form(actor: Actor, rules: Rules, t: Texts) -> None:
    key = rules.product or "others"
    with st.form(f"rules-{key}"):
        two = st.checkbox(t("rules.two_person"), value=rules.two_person, help=t("rules.two_person_help"))
        asker = st.checkbox(t("rules.asker"), value=rules.asker_cannot_sign, help=t("rules.asker_help"))
        blind = st.checkbox(t("rules.blind"), value=rules.blind, help=t("rules.blind_help"))
        left, right = st.columns(2)
        keep = left.number_input(t("rules.keep"), min_value=1, max_value=MOST_DAYS, value=rules.keep_days,
                                 placeholder=t.raw("rules.for_ever"), help=t("rules.keep_help"))
        keep_signed = right.number_input(t("rules.keep_signed"), min_value=1, max_value=MOST_DAYS,
                                         value=rules.keep_signed_days, placeholder=t.raw("rules.for_ever"))
        if st.form_submit_button(t("rules.save"), type="primary"):
            try:
                installation().reviews.set_rules(actor, Rules(
                    product=rules.product, two_person=two, asker_cannot_sign=asker, blind=blind, keep_days=keep,
                    keep_signed_days=keep_signed))
            except KenpinError as exc:
                say_error(str(exc))
            else:
                st.success(t("rules.saved"), icon=":material/check:")
