// Replaces the parts of the page that changed, when the command says that something did, and copies commands. Everything on the
// page can be read and used without this.
"use strict";
(() => {
  document.documentElement.classList.add("scripted");
  const says = document.getElementById("says");
  const tell = (text) => {
    if (says.textContent !== text) says.textContent = text;
  };

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button[data-copy]") : null;
    if (!button) return;
    navigator.clipboard.writeText(button.dataset.copy).then(
      () => tell("Copied."),
      () => tell("The browser did not copy it: select the command."),
    );
  });

  const live = document.querySelector("[data-live]");
  if (!live) return;

  // What somebody is in the middle of is left as it is until they are done.
  const inUse = (part) => {
    const selection = document.getSelection();
    const selected = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
    return selected || (part !== document.activeElement && part.contains(document.activeElement));
  };

  // Which parts there are: with the first Revocation of somebody, for one, another part comes.
  const parts = (page) => [...page.querySelectorAll("main [data-part]")].map((part) => part.id).join(" ");

  const put = (fresh) => {
    let late = false;
    const main = document.getElementById("main");
    if (parts(fresh) !== parts(document)) {
      if (inUse(main)) return true;
      main.replaceChildren(...fresh.getElementById("main").childNodes);
    }
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const here = document.getElementById(part.id);
      if (!here || (here.innerHTML === part.innerHTML && part.id !== "trouble")) continue;
      if (inUse(here)) {
        late = true;
        continue;
      }
      part.classList.toggle("fresh", part.id !== "foot");
      here.replaceWith(part);
    }
    return late;
  };

  let busy = false;
  let again = false;
  let late = false;
  const renew = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const response = await fetch(location.href, { cache: "no-store" });
      if (!response.ok) throw new Error(String(response.status));
      late = put(new DOMParser().parseFromString(await response.text(), "text/html"));
    } catch {
      tell("The command does not answer: what you see may be old.");
    } finally {
      busy = false;
      if (again) {
        again = false;
        renew();
      }
    }
  };
  document.addEventListener("focusout", () => {
    if (late) setTimeout(renew, 0);
  });

  let lost = false;
  const changes = new EventSource(`changes?since=${live.dataset.live}`);
  changes.onmessage = renew;
  changes.onerror = () => {
    lost = true;
    tell("The command does not answer: what you see may be old.");
  };
  changes.onopen = () => {
    if (lost) {
      lost = false;
      tell("");
      renew();
    }
  };
})();
