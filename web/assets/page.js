"use strict";
// Shows the state of the site as it changes. A page that nobody sees holds no stream, and one whose stream was given to another
// page asks every ten seconds.
(() => {
  const state = document.getElementById("state");
  const lost = document.getElementById("lost");
  let stream = null, timer = null, full = false, since = null;

  // Keeps the keyboard where it is, on whatever has the same id.
  const show = html => {
    const id = state.contains(document.activeElement) ? document.activeElement.id : "";
    const log = state.querySelector("[role=log]");
    const below = !log || log.scrollHeight - log.scrollTop - log.clientHeight < 8;
    state.innerHTML = html;
    const now = state.querySelector("[role=log]");
    if (now && below) now.scrollTop = now.scrollHeight;
    if (id) document.getElementById(id)?.focus();
    since = null;
    lost.hidden = true;
  };
  const gone = () => {
    since = since || new Date();
    lost.textContent = document.body.dataset.lost + " " + since.toLocaleTimeString();
    lost.hidden = false;
  };
  const ask = async () => {
    try {
      const answer = await fetch("/state");
      if (answer.status === 401) return location.reload();
      if (!answer.ok) return gone();
      show(await answer.text());
    } catch { gone(); }
  };
  const close = () => {
    stream?.close();
    clearInterval(timer);
    stream = timer = null;
  };
  const begin = () => {
    close();
    if (document.hidden) return;
    if (full || !window.EventSource) {
      ask();
      timer = setInterval(ask, 10000);
      return;
    }
    stream = new EventSource("/events");
    stream.addEventListener("state", e => show(e.data));
    stream.addEventListener("full", () => { full = true; begin(); });
    stream.onerror = () => {
      gone();
      if (stream?.readyState === EventSource.CLOSED) { // not tried again by the browser, such as after an error's answer
        close();
        timer = setInterval(ask, 10000);
      }
    };
  };
  document.addEventListener("visibilitychange", () => { full = false; begin(); });
  begin();
})();
