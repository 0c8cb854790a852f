// A form of the page itself, since the answer takes the session's cookie away, which no script can.
export default function (component) {
  const { data, parentElement } = component;
  const form = document.createElement("form");
  form.method = "post";
  form.action = "/auth/sign-out";
  form.target = "_self";
  const token = document.createElement("input");
  token.type = "hidden";
  token.name = "form";
  token.value = data.token;
  const button = document.createElement("button");
  button.type = "submit";
  button.textContent = data.label;
  form.append(token, button);
  parentElement.querySelector("form")?.remove();
  parentElement.append(form);
}
