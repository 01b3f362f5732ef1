"use strict";

/* Exchanges the token in the link's fragment for a cookie; the token leaves the address bar and the history first. */
const words = document.getElementById("words");
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

async function enter() {
  if (!token) {
    words.textContent = "Open the link that the console at the robot shows (key w), or scan its code.";
    return;
  }
  try {
    const answer = await fetch("/enter", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({token}),
    });
    if (answer.ok) location.replace("/");
    else words.textContent = `Not let in: ${(await answer.json()).error}`;
  } catch {
    words.textContent = "Not connected: is the console at the robot still open? Open the link again.";
  }
}

enter();
