"use strict";
// Runs before the page is drawn, so that a dark page never flashes white.
(() => {
  const root = document.documentElement;
  const fromLink = new URLSearchParams(location.hash.slice(1)).get("theme");
  const kept = () => {
    try { return localStorage.getItem("theme"); } catch { return null; } // not to be had on some disks
  };
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const set = (theme) => {
    root.dataset.theme = theme === "dark" ? "dark" : "light";
    const button = document.getElementById("theme");
    if (button) button.setAttribute("aria-pressed", String(root.dataset.theme === "dark"));
  };
  set(fromLink || kept() || system);
  addEventListener("DOMContentLoaded", () => {
    set(root.dataset.theme);
    document.getElementById("theme").addEventListener("click", () => {
      set(root.dataset.theme === "dark" ? "light" : "dark");
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* then it lasts for this page */ }
      dispatchEvent(new Event("themechange"));
    });
  });
})();
