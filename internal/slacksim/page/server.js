// What the server says, and what is asked of it. All state is the server's.

import { $ } from "./dom.js";

export let state = null; // what one person sees, by /sim/state
export let me = new URLSearchParams(location.search).get("as") || localStorage.getItem("me") || "";
export let here = location.hash.slice(1); // the conversation

// setState takes what the server says in place of what it said before.
export function setState(next) {
  state = next;
  me = state.me;
  here = state.here;
  keepPlace();
}

// setPlace changes whose eyes this page has, and on what.
export function setPlace(place) {
  if (place.me !== undefined) { me = place.me; localStorage.setItem("me", me); }
  if (place.here !== undefined) here = place.here;
  keepPlace();
}

// keepPlace has the address name the person and the conversation, so that two
// windows may show two people.
function keepPlace() {
  const person = state && state.people.find((p) => p.id === me);
  const as = person ? person.handle : me;
  history.replaceState(null, "", (as ? "?as=" + encodeURIComponent(as) : location.pathname) + "#" + here);
}

// now is the time that the simulation shows.
export const now = () => Date.now() + (state && state.clock ? state.clock.ahead * 1000 : 0);

// Unreachable is what calls fail with when there is no answer.
export class Unreachable extends Error {
  constructor() { super("Sym Flows does not answer. What you typed is still here: try again when it is back."); }
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    connected(false);
    throw new Unreachable();
  }
  return [answer, await answer.json()];
}

// askState asks what a person sees of a conversation, and returns null if that has
// changed meanwhile.
export async function askState() {
  const asked = [me, here].join();
  const [answer, body] = await ask("/sim/state?" + new URLSearchParams({ as: me, in: here }));
  return answer.ok && asked === [me, here].join() ? body : null;
}

// act does something as the person. It throws what goes wrong, in words for them.
export async function act(action, args) {
  const [answer, body] = await ask("/sim/" + action, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ as: me, in: here, ...args }),
  });
  if (!answer.ok) throw new Error(body.error);
  return body.result;
}

let toastTimer = 0;

// toast shows for a while what went wrong.
export function toast(error) {
  $("toast").textContent = error.message;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 8000);
}

let lost = false;

// wasLost counts how often the connection was lost.
export let wasLost = 0;

// connected notes whether the server is there, and says so if it is not.
export function connected(is) {
  if (is === !lost) return;
  lost = !is;
  if (lost) wasLost++;
  else $("toast").hidden = true;
  $("lost").hidden = is;
}

// listen calls handlers by the names of the server's events, until the page is
// closed. A connection that is lost is made again.
export function listen(handlers) {
  const stream = new EventSource("/sim/stream" + (listen.seen ? "?after=" + listen.seen : ""));
  stream.onopen = () => connected(true);
  for (const [name, handle] of Object.entries(handlers)) {
    stream.addEventListener(name, (event) => {
      listen.seen = event.lastEventId;
      handle(JSON.parse(event.data));
    });
  }
  stream.onerror = () => {
    connected(false);
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => listen(handlers), 2000); // else the browser tries again
  };
}
