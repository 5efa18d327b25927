// Buttons with data-tail="address" follow a log: the server's events are rows, which go on top of the
// list that data-tail-rows names. Browsers call again by themselves when an answer ends. With
// data-tail-auto, the page follows from the beginning.
(() => {
  "use strict";
  const most = 200; // rows that are kept in the page
  let source;
  let button;

  const say = (text) => {
    const state = document.getElementById(button.dataset.tailState);
    state.textContent = text;
  };
  const stop = (text) => {
    source?.close();
    source = undefined;
    button.setAttribute("aria-pressed", "false");
    say(text);
  };
  const add = (html) => {
    const list = document.getElementById(button.dataset.tailRows);
    const template = document.createElement("template");
    template.innerHTML = html;
    list.hidden = false;
    document.querySelector("[data-tail-empty]")?.remove();
    const head = list.querySelector(".record-head");
    head.after(template.content);
    while (list.children.length > most + 1) {
      list.lastElementChild.remove();
    }
  };
  document.addEventListener("click", (event) => {
    const clicked = event.target.closest("[data-tail]");
    if (!clicked) {
      return;
    }
    button = clicked;
    if (source) {
      stop("Stopped.");
      return;
    }
    button.setAttribute("aria-pressed", "true");
    say("Following: what happens appears on top.");
    source = new EventSource(button.dataset.tail);
    source.addEventListener("message", (message) => add(message.data));
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) {
        stop("Stopped: the server does not answer, or you have been signed out. Reload the page.");
      }
    });
  });
  document.querySelector("[data-tail-auto]")?.click();
})();
