// What the pages of a resource's data need: dialogs whose content comes with the click, and the
// key that is shown marked in the list.
(() => {
  "use strict";
  document.addEventListener("click", (event) => {
    const remove = event.target.closest("[data-dialog][data-action]");
    if (remove) {
      const dialog = document.getElementById(remove.dataset.dialog);
      const form = dialog.querySelector("form");
      form.action = remove.dataset.action;
      const fill = form.elements.seen ?? form.querySelector("[data-fill]");
      fill.value = remove.dataset.seen ?? "";
      dialog.querySelector("[data-name]").textContent = remove.dataset.name;
    }
  });
  // A link with data-open fills a dialog, which opens when the content is there.
  document.addEventListener("htmx:afterSwap", (event) => {
    const id = event.detail.requestConfig?.elt?.dataset.open;
    if (id) {
      document.getElementById(id).showModal();
    }
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id !== "value") {
      return;
    }
    for (const link of document.querySelectorAll(".key-link")) {
      if (link === event.detail.requestConfig?.elt) {
        link.setAttribute("aria-current", "true");
      } else if (event.detail.requestConfig?.elt?.classList.contains("key-link")) {
        link.removeAttribute("aria-current");
      }
    }
    document.getElementById("value-name")?.focus({ preventScroll: true });
    if (matchMedia("(max-width: 960px)").matches) {
      document.getElementById("value").scrollIntoView();
    }
  });
})();
