// The page: signs in, reads snapshots, follows the event stream, and shows both a few times a second.
import { read, readList, SignedOut } from "./api.js";
import { Charts } from "./charts.js";
import { Details } from "./details.js";
import { byId, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { Panels } from "./panels.js";
import { State } from "./state.js";

const SNAPSHOT_MS = 1_000;
const QUIET_MS = 10_000;
const SHOW_MS = 500;
const MOST = 500;

const state = new State();
const details = new Details(signOut);
const panels = new Panels(state, (kind, id) => details.open(kind, id));
const feed = new Feed((events) => state.takeEvents(events), showConnection);
let charts = null;
let looked = 0;
let timers = [];

function showConnection(name) {
  const shown = byId("connection");
  shown.dataset.state = name;
  setText(shown, { live: "live", lost: "connection lost, trying again", connecting: "connecting" }[name]);
  // what happened meanwhile was not counted, but a snapshot has it
  state.changed = true;
}

async function snapshot() {
  const due = state.changed ? SNAPSHOT_MS : QUIET_MS;
  if (document.hidden || Date.now() - looked < due) return;
  looked = Date.now();
  state.changed = false;
  try {
    const [queues, workers] = await Promise.all([
      readList("/ext/v1/queues", MOST),
      readList("/ext/v1/workers", MOST),
    ]);
    state.takeQueues(queues);
    state.takeWorkers(workers);
  } catch (problem) {
    if (problem instanceof SignedOut) signOut();
    else showConnection("lost");
  }
}

function show() {
  if (document.hidden) return;
  panels.show(Date.now());
  charts.show();
}

async function watch() {
  try {
    await read("/ext/v1/queues?maxpagesize=1");
  } catch (problem) {
    if (problem instanceof SignedOut) return signOut();
    showConnection("lost");
    setTimeout(watch, SNAPSHOT_MS);
    return;
  }
  byId("signed-out").hidden = true;
  byId("signed-in").hidden = false;
  byId("sign-out").hidden = byId("search").hidden = false;
  charts ??= new Charts(state.rates);
  feed.open();
  looked = 0;
  await snapshot();
  show();
  timers = [setInterval(snapshot, SNAPSHOT_MS / 2), setInterval(show, SHOW_MS)];
}

function signOut() {
  timers.forEach(clearInterval);
  timers = [];
  feed.close();
  byId("signed-in").hidden = true;
  byId("sign-out").hidden = byId("search").hidden = true;
  byId("signed-out").hidden = false;
  setText(byId("connection"), "signed out");
  byId("connection").dataset.state = "out";
  byId("key").focus();
}

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const problem = byId("sign-in-problem");
  setText(problem, "");
  const body = new URLSearchParams({ key: byId("key").value });
  const answer = await fetch("/dashboard/session", { method: "POST", body });
  if (answer.ok) {
    byId("key").value = "";
    showConnection("connecting");
    await watch();
  } else {
    setText(problem, answer.status === 401 ? "This is not the viewing key." : "The router cannot sign you in now.");
    byId("key").select();
  }
});

byId("sign-out").addEventListener("click", async () => {
  await fetch("/dashboard/session", { method: "DELETE" });
  signOut();
});

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = byId("search-id").value.trim();
  if (id) details.open(event.submitter?.value ?? "job", id);
});

byId("pause").addEventListener("click", () => {
  panels.paused = !panels.paused;
  byId("pause").setAttribute("aria-pressed", panels.paused);
});

byId("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  charts?.redraw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts?.redraw());

setText(byId("host"), location.host);
watch();
