// Hands a picture from the clipboard to the page's own upload field, so that it takes the same way in as a dropped file.
export default function ({ data }) {
  function onPaste(event) {
    const files = [...(event.clipboardData?.files || [])].filter((file) => file.type.startsWith("image/"));
    const inChat = event.target instanceof Element && event.target.closest('[data-testid="stChatInput"]');
    const field = document.querySelector("." + data.field + ' input[type="file"]');
    if (!files.length || inChat || !field) return;
    const given = new DataTransfer();
    given.items.add(new File([files[0]], data.name + "." + files[0].type.split("/")[1], { type: files[0].type }));
    field.files = given.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
    event.preventDefault();
  }
  document.addEventListener("paste", onPaste);
  return () => document.removeEventListener("paste", onPaste);
}
