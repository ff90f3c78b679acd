// The console's only script. Every page and every deed works without it.
//
// A page says what it wants by its <main>: data-news is the stream of the practice, data-at the event that the page was made at, and
// data-live what is done when there are newer ones: "replace" has the page made anew in place, "tell" says that there is something new.
// data-next is where the page is looked for again while something is under way; without script the page's head says so.
// A page is replaced while nobody types in it and while it is seen; asking for it so does not count as a visit.
// The slider of a history says of which event and time it is while it is moved.
// On a narrow screen the name of the page that is open is brought into view among those of the others.
"use strict";

(() => {
  const here = document.querySelector("nav.main a[aria-current]");
  if (!here) return;
  const tabs = here.parentElement;
  const show = () => (tabs.scrollLeft = here.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - here.offsetWidth) / 2);
  window.addEventListener("resize", show);
  show();
})();

(() => {
  const slider = document.querySelector("input[type=range][name=step]");
  if (!slider) return;
  const said = slider.form.querySelector("output");
  const times = document.getElementById("steps");
  const tell = () => {
    const time = times ? times.options[slider.value - 1].label : "";
    said.textContent = `event ${slider.value} of ${slider.max}${time ? `, ${time}` : ""}`;
    slider.setAttribute("aria-valuetext", said.textContent);
  };
  slider.addEventListener("input", tell);
  tell();
})();

(() => {
  const waiting = document.querySelector("main[data-next]");
  if (waiting) setTimeout(() => location.replace(waiting.dataset.next), 2000);
})();

(() => {
  const main = document.querySelector("main[data-live]");
  if (!main || !window.EventSource) return;

  let at = Number(main.dataset.at);
  let newest = at;
  let busy = false;

  const stream = new EventSource(main.dataset.news);
  stream.addEventListener("head", (event) => {
    newest = Math.max(newest, Number(event.data));
    catchUp();
  });
  stream.addEventListener("ended", () => {
    stream.close();
    location.reload();
  });
  document.addEventListener("visibilitychange", catchUp);
  main.addEventListener("focusout", () => setTimeout(catchUp, 0));
  window.addEventListener("pagehide", () => stream.close());

  function catchUp() {
    if (newest <= at || busy || document.hidden) return;
    if (main.dataset.live === "tell") tell();
    else if (!main.contains(document.activeElement)) replace();
  }

  function tell() {
    at = newest;
    if (document.getElementById("newer")) return;
    const note = document.createElement("p");
    note.id = "newer";
    note.className = "notice";
    note.setAttribute("role", "status");
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = "Show the page as it is now";
    note.append("Something has changed meanwhile. ", link);
    main.prepend(note);
  }

  async function replace() {
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { "X-Live": "1" }, redirect: "error" });
      if (!answer.ok) return;
      const made = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main[data-live]");
      if (!made || main.contains(document.activeElement)) return;
      main.replaceChildren(...made.childNodes);
      at = Math.max(newest, Number(made.dataset.at));
    } catch {
      // the next news tries again
    } finally {
      busy = false;
    }
  }
})();
