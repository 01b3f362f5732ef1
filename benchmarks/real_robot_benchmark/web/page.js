"use strict";

/* The operator's console. It shows what the server sends and changes nothing by itself: a press is sent with the
   number of the state that was seen, and the screen changes when the answer says that the press is on the disk. */

const SILENCE_MS = 5000; // the server speaks every other second
const GIVE_UP_MS = 10000; // an unanswered press is sent again, as the same press, for so long
const SETTLE_MS = 350; // a second tap on a button that has just become another one is a slip
const QUICK_REASONS = ["scene was set up wrong", "robot fault", "camera or network", "somebody interfered"];

const get = id => document.getElementById(id);
const buttons = [...document.querySelectorAll("footer button")];
const ask = get("ask");
const lost = get("lost");

let state = null; // {campaign, number, robot, watched, view} as last sent
let heard = 0; // when, on this device's clock
let online = false;
let pending = false;
let settled = 0;
let slip = null; // the key that a second tap would press again; null: any
let asked = null; // {number, campaign} of the state in which a question came up
let draft = {}; // what was typed and not recorded, by key
let source = null;
let retry = 0;
let notice = "";

// --- showing ------------------------------------------------------------------------------------------------

function time(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function span(seconds) {
  if (seconds === null) return "";
  const minutes = Math.max(1, Math.round(seconds / 60));
  return minutes < 60 ? `${minutes} min to go` : `${Math.floor(minutes / 60)} h ${minutes % 60} min to go`;
}

function list(node, lines) {
  node.replaceChildren(...lines.map(line => Object.assign(document.createElement("li"), {textContent: line})));
}

function show(next) {
  const before = state?.view;
  state = next;
  heard = Date.now();
  const view = state.view;
  if (before && before.phase !== view.phase) {
    settled = Date.now() + SETTLE_MS;
    slip = null;
    scrollTo(0, 0);
  }
  const [letter, name] = view.policy.split(" · ");
  document.body.dataset.phase = view.phase;
  document.title = `${view.headline} · ${view.task || "done"}`;
  get("headline").textContent = view.headline;
  get("left").textContent = [span(view.remaining_s), view.voided ? `${view.voided} void` : ""].filter(Boolean).join(" · ");
  get("progress").max = view.total;
  get("progress").value = view.done;
  get("task").textContent = view.phase === "finished" ? view.headline : view.task;
  get("policy").textContent = letter;
  get("policy-name").textContent = name ?? "";
  get("case").textContent = view.case;
  get("cases").textContent = `of ${view.cases}`;
  get("repetition").textContent = view.trial;
  get("repetitions").textContent = view.attempt > 1 ? `attempt ${view.attempt}` : `of ${view.trials}`;
  get("limit").textContent = view.time_limit_s ? `of ${time(view.time_limit_s)}` : "";
  get("instruction").textContent = view.instruction;
  list(get("setup"), view.setup);
  get("scene").hidden = view.setup.length === 0;
  showStages(view);
  const scene = view.upcoming;
  get("upcoming").hidden = !scene;
  if (scene) {
    const policy = scene.policy.split(" · ")[0];
    get("upcoming-head").textContent = `${scene.task} · case ${scene.case} · trial ${scene.trial} · policy ${policy}`;
    list(get("upcoming-lines"), scene.lines);
  }
  get("notes").hidden = view.notes.length === 0;
  list(get("note-list"), view.notes);
  get("undo").textContent = view.undo_text;
  get("pause").textContent = view.paused ? "Resume" : "Pause";
  get("stop").hidden = !state.robot;
  document.body.classList.toggle("ticking", view.ticking);
  showMessage();
  tick();
  allow();
}

function fresh(next) {
  return !state || next.campaign !== state.campaign || next.number >= state.number;
}

function showStages(view) {
  const focused = document.activeElement?.dataset?.key;
  get("stage-list").replaceChildren(...view.stages.map(stage => {
    const button = document.createElement("button");
    button.className = stage.done ? "stage done" : "stage";
    button.dataset.key = String(stage.number);
    const number = Object.assign(document.createElement("span"), {className: "number"});
    number.textContent = stage.done ? "✓" : stage.number;
    const text = Object.assign(document.createElement("span"), {textContent: stage.text});
    if (stage.done) button.setAttribute("aria-label", `stage ${stage.number}, done: ${stage.text}`);
    button.append(number, text);
    button.addEventListener("click", tapped);
    return button;
  }));
  if (focused) document.querySelector(`.stage[data-key="${focused}"]`)?.focus();
}

function showMessage() {
  const view = state.view;
  const done = view.phase === "finished" ? "Close the console at the robot, then: seer-bench real finish CAMPAIGN" : "";
  const words = notice || view.result_text || view.message || done;
  get("message").textContent = words;
  get("message").hidden = !words;
  get("message").className = notice ? "" : (view.result ?? "");
}

function tick() {
  if (!state) return;
  const view = state.view;
  const seconds = view.clock_s + (view.ticking && online ? (Date.now() - heard) / 1000 : 0);
  get("clock").textContent = time(seconds);
  document.body.classList.toggle("overtime", Boolean(view.time_limit_s) && seconds > view.time_limit_s && view.ticking);
}

function possible(key) {
  if (!state || !online || pending) return false;
  if (key === "e") return state.view.phase !== "running" && state.view.done > 0;
  return state.view.keys.some(known => known.key === key);
}

function allow() {
  for (const button of [...buttons, ...document.querySelectorAll(".stage")]) {
    button.disabled = !possible(button.dataset.key);
  }
  if (ask.open) complete();
}

// --- the connection -----------------------------------------------------------------------------------------

function connected() {
  online = true;
  document.body.classList.remove("offline");
  get("connection").textContent = "connected";
  get("banner").hidden = true;
}

function disconnected(words = "NOT CONNECTED. Keys do nothing until the connection is back; nothing is lost.") {
  online = false;
  document.body.classList.add("offline");
  get("connection").textContent = "not connected";
  get("banner").textContent = words;
  get("banner").hidden = false;
  allow();
}

function connect() {
  clearTimeout(retry);
  source?.close();
  if (document.hidden) return; // a browser has few lines to a server; the page in front needs one
  source = new EventSource("/events");
  heard = Date.now();
  source.onmessage = message => {
    const next = JSON.parse(message.data);
    connected();
    if (fresh(next)) show(next);
    else heard = Date.now();
  };
  source.onerror = reconnect;
}

async function reconnect() {
  source.close();
  disconnected();
  clearTimeout(retry);
  retry = setTimeout(connect, 1000);
  try {
    const answer = await fetch("/state");
    if (answer.status === 401) refused();
  } catch {
    // still away: the timer tries again
  }
}

function refused() {
  clearTimeout(retry);
  source?.close();
  disconnected("NOT LET IN. Open the link that the console at the robot shows (key w), or scan its code.");
}

setInterval(() => {
  if (online && state.watched) send("/alive", {}).catch(() => {});
}, 500);

setInterval(() => {
  tick();
  if (online && Date.now() - heard > SILENCE_MS) {
    disconnected();
    connect();
  }
}, 100);
addEventListener("offline", () => disconnected());
addEventListener("online", connect);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source?.close();
    disconnected();
    return;
  }
  navigator.wakeLock?.request("screen").catch(() => {});
  connect();
});

// --- pressing -----------------------------------------------------------------------------------------------

function send(path, body) {
  return fetch(path, {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(4000),
  });
}

async function press(key, text = "", trial = null, seen = state) {
  if (pending || !online) return false;
  const id = [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, "0")).join("");
  const body = {id, key, text, seen: seen.number, campaign: seen.campaign, trial};
  const until = Date.now() + GIVE_UP_MS;
  pending = true;
  notice = "";
  allow();
  try {
    const answer = await answered(body, until);
    await take(answer);
    return answer.ok;
  } catch {
    fail("No answer came. The press is recorded or not, never twice: see when the connection is back.");
    return false;
  } finally {
    pending = false;
    if (Date.now() >= settled) {
      settled = Date.now() + SETTLE_MS;
      slip = key;
    }
    allow();
  }
}

async function answered(body, until) {
  for (;;) {
    try {
      return await send("/press", body);
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise(done => setTimeout(done, 500));
    }
  }
}

async function take(answer) {
  const tree = await answer.json();
  if (answer.status === 401) return refused();
  if (!answer.ok) notice = tree.error;
  if (tree.lost) fail(tree.error);
  if (tree.view && fresh(tree)) show(tree);
  else showMessage();
}

function fail(words) {
  get("lost-words").textContent = words;
  if (!lost.open) lost.showModal();
}

async function stop() {
  try {
    const answer = await send("/stop", {});
    if (!answer.ok) throw new Error();
    notice = "STOP was sent to the robot.";
    showMessage();
  } catch {
    fail("STOP did not reach the robot. Use the stop button of the robot itself.");
    get("lost-title").textContent = "NOT STOPPED";
  }
}

lost.addEventListener("close", () => { get("lost-title").textContent = "NOT RECORDED"; });

// --- reasons and notes --------------------------------------------------------------------------------------

const QUESTIONS = {
  v: {title: "Void this attempt", words: "It does not count and is repeated.", label: "Reason", ok: "Void it"},
  e: {title: "Void an earlier trial", words: "It does not count and is repeated next.", label: "Reason", ok: "Void it"},
  n: {title: "Note", words: "It is kept with this trial.", label: "Note", ok: "Keep it"},
};

function question(key) {
  const words = QUESTIONS[key];
  ask.dataset.key = key;
  asked = {number: state.number, campaign: state.campaign};
  get("ask-title").textContent = words.title;
  get("ask-words").textContent = words.words;
  get("ask-label").textContent = words.label;
  get("ask-ok").textContent = words.ok;
  get("ask-text").value = draft[key] ?? "";
  get("ask-number").value = "";
  get("ask-number").max = state.view.total;
  get("ask-number-row").hidden = key !== "e";
  get("ask-quick").replaceChildren(...(key === "n" ? [] : QUICK_REASONS).map(reason => {
    const button = Object.assign(document.createElement("button"), {type: "button", textContent: reason});
    button.addEventListener("click", () => { get("ask-text").value = reason; complete(); });
    return button;
  }));
  complete();
  ask.showModal();
  get(key === "e" ? "ask-number" : "ask-text").focus();
}

function complete() {
  const numbered = ask.dataset.key !== "e" || get("ask-number").value !== "";
  get("ask-ok").disabled = !online || pending || !get("ask-text").value.trim() || !numbered;
}

async function answer() {
  const key = ask.dataset.key;
  const trial = key === "e" ? Number(get("ask-number").value) : null;
  draft[key] = get("ask-text").value.trim();
  ask.close();
  if (await press(key === "e" ? "v" : key, draft[key], trial, asked)) delete draft[key];
}

get("ask-text").addEventListener("input", complete);
get("ask-number").addEventListener("input", complete);
get("ask-cancel").addEventListener("click", () => ask.close());
ask.querySelector("form").addEventListener("submit", event => {
  event.preventDefault();
  if (!get("ask-ok").disabled) answer();
});
get("ask-text").addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (!get("ask-ok").disabled) answer();
  }
});

// --- taps and keys ------------------------------------------------------------------------------------------

function act(key) {
  if (!possible(key)) return;
  if (key in QUESTIONS) question(key);
  else press(key);
}

function tapped(event) {
  if (event.detail > 0) event.currentTarget.blur(); // the keys below go on working
  const {key} = event.currentTarget.dataset;
  if (Date.now() < settled && (slip ?? key) === key) return;
  act(key);
}

for (const button of buttons) button.addEventListener("click", tapped);
get("stop").addEventListener("click", stop);
addEventListener("keydown", event => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && state?.robot) stop();
  if (ask.open || lost.open) return;
  const key = {" ": "space", Enter: "enter"}[event.key] ?? event.key.toLowerCase();
  const focused = document.activeElement?.matches("button:focus-visible");
  if (focused && (key === "space" || key === "enter")) return; // reached with the tab key: the button is meant
  if (!/^([1-9]|space|enter|[sftvnpue])$/.test(key)) return;
  event.preventDefault();
  act(key);
});

connect();
