// The board works without this file. It adds a counter, a busy button and Ctrl+Enter, and it takes
// the status message down when the page is left, so that Back does not tell old news.
//
// It does not block a second click: the server answers that one with the first answer again. It
// does not clean `?so=...` out of the address bar either: a reload of the clean address would
// replace the form page in Chromium's HTTP cache, and Back would show the old text beside a new
// token (measured with the back/forward cache off): a second message instead of "already done".
"use strict";

const form = document.querySelector(".composer");

addEventListener("pagehide", () => {
  for (const flash of document.querySelectorAll(".flash")) {
    flash.remove();
    document.title = "Message Board";
  }
});

if (form) {
  const button = form.querySelector("button");
  const text = form.elements.message;
  const counter = form.querySelector("[data-counter]");
  const limit = Number(text.getAttribute("maxlength"));
  const label = button.textContent;

  const ready = () => {
    button.removeAttribute("aria-disabled");
    button.textContent = label;
  };
  const busy = () => {
    button.setAttribute("aria-disabled", "true");
    button.textContent = "Posting…";
  };
  const count = () => {
    const left = limit - Array.from(text.value).length; // characters, as the server counts them
    const amount = Math.abs(left).toLocaleString("en");
    counter.textContent = left < 0 ? `${amount} too many` : `${amount} left`;
    counter.classList.toggle("over", left < 0);
  };

  // The attribute cuts a long paste without a word; the counter says it instead, and nothing is
  // lost. Without this script it stays, as the only warning there is.
  text.removeAttribute("maxlength");
  text.addEventListener("input", () => {
    count();
    ready();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  // After the event, so that nothing about the submit itself is changed.
  form.addEventListener("submit", () => setTimeout(busy));
  // The second half of a double click may land here, on the empty form below the good news. It is no
  // attempt to post, so the browser shall not complain that nothing was typed.
  const arrived = performance.now();
  const landed = document.querySelector(".flash") !== null;
  button.addEventListener("click", (event) => {
    if (landed && !text.value && event.timeStamp - arrived < 1000) event.preventDefault();
  });
  // A page that comes back from the back/forward cache comes back with its button busy.
  addEventListener("pageshow", () => {
    ready();
    if (text.value) count();
  });
}
