"use strict";

const $ = selector => document.querySelector(selector);
const form = $("#ask"), words = form.elements.words, panel = $("#song"), box = $("#list");
const first = JSON.parse($("#first").textContent);
const source = typeof served === "undefined" ? kept(first) : served;
const FAINT = 0.25;
let tags = [], shown, latest = 0, open = null;

const list = new List(box, (row, index) => {
  const element = songRow(row, {
    wanted: tag => asked(words.value, tag) === "has",
    play: source.sound && (event => { event.stopPropagation(); player.play(row, index); }),
    add: (event, tag) => { event.stopPropagation(); choose(tag, asked(words.value, tag) ? "" : "has"); },
  });
  element.classList.toggle("playing", source.sound != null && player.id === row.id);
  element.addEventListener("click", () => { list.move(index); panelOf(row); });
  element.addEventListener("dblclick", () => source.sound && player.play(row, index));
  return element;
});
list.changed = () => { if (open && list.row && list.row.id !== open) panelOf(list.row); };

/** What the form asks for, with some words instead of its own, without what it would ask for anyhow. */
function query(instead = words.value) {
  const usual = { minimum: 0.5, sort: "score" };
  const given = [...new FormData(form)].map(([name, value]) => [name, (name === "words" ? instead : value).trim()]);
  return given.filter(([name, value]) => value && String(usual[name]) !== String(Number(value) || value));
}

function say(found) {
  $("#status").textContent = [counted(found.total), ...found.notes].join(". ");
  const lower = form.elements.minimum;
  $("#none").hidden = found.total > 0;
  $("#none button").hidden = lower.value <= FAINT || !words.value.trim();
}

/** Search for what the form asks for now; an answer that comes after a later question is dropped. */
async function ask() {
  const now = ++latest;
  let wanted = query();
  const near = hint();
  mark();
  form.querySelector("output").textContent = Number(form.elements.minimum.value).toFixed(2);
  try {
    let found = await source.rows(wanted, 0, PAGE);
    if (!found.total && found.notes.length && near.length) { // the last word only begins a tag so far
      wanted = query(words.value.slice(0, words.value.lastIndexOf(split(words.value).at(-1))));
      found = { ...await source.rows(wanted, 0, PAGE), notes: [`Go on typing: ${near.join(", ")}`] };
    }
    if (now !== latest) return;
    shown = null;
    $("#back").hidden = true;
    list.fill(found, (from, count) => source.rows(wanted, from, count));
    say(found);
    source.address?.(wanted);
  } catch (problem) {
    if (now === latest) $("#status").textContent = problem.message;
  }
}

function choose(tag, how) {
  words.value = asking(words.value, tag, how);
  ask();
}

/** Offer the tags that the word begins that is being typed, and give their names. */
function hint() {
  const last = split(words.value).at(-1) ?? "", begun = bare(last);
  const typing = begun && !/\s$/.test(words.value) && document.activeElement === words;
  const near = typing ? tags.filter(({ tag }) => tag.toLowerCase().includes(begun) && tag.toLowerCase() !== begun) : [];
  near.sort((a, b) => b.tag.toLowerCase().startsWith(begun) - a.tag.toLowerCase().startsWith(begun) || b.songs - a.songs);
  const names = near.slice(0, 6).map(({ tag }) => tag);
  $("#hints").replaceChildren(...names.map(tag => make("button", {
    type: "button", onclick: () => {
      words.value = words.value.slice(0, words.value.lastIndexOf(last));
      words.focus();
      choose(tag, last.startsWith("-") ? "not" : "has");
    },
  }, tag)));
  return names;
}

/** All tags by kind, the most frequent first. */
function index(found) {
  tags = found;
  $("#tags").replaceChildren(...KINDS.flatMap(kind => {
    const each = tags.filter(tag => tag.kind === kind && tag.songs).sort((a, b) => b.songs - a.songs);
    const next = { "": "has", has: "not", not: "" };
    return !each.length ? [] : [make("h3", {}, kind), ...each.map(({ tag, songs }) => make("button", {
      type: "button", "data-tag": tag, onclick: () => choose(tag, next[asked(words.value, tag)]),
    }, tag, make("small", {}, songs.toLocaleString("en"))))];
  }));
  mark();
}

function mark() {
  for (const button of $("#tags").querySelectorAll("button")) {
    const how = asked(words.value, button.dataset.tag);
    button.className = how;
    button.ariaPressed = how === "not" ? "mixed" : String(how === "has");
  }
}

/** Open the panel of a song, or show another one in it. */
async function panelOf(row) {
  open = row.id;
  try {
    const song = await source.song(row);
    if (open === row.id) fillPanel(song);
  } catch (problem) {
    notice(problem.message);
  }
}

function fillPanel(song) {
  const held = panel.contains(document.activeElement) && document.activeElement.ariaLabel;
  panel.replaceChildren(...songPanel(song, {
    tags, close,
    play: source.sound && (() => player.play(list.row ?? song, list.current)),
    alike: source.similar && (() => alike(song)),
    correct: source.correct && (async (tag, has) => {
      try {
        const now = await source.correct(song.id, tag, has);
        if (open === song.id) fillPanel(now);
        const row = [...list.rows.values()].find(row => row.id === song.id);
        if (row) Object.assign(row, { tags: now.tags.slice(0, 5).map(({ tag, score }) => [tag, score]) });
        list.again();
        source.tags?.().then(index);
      } catch (problem) {
        notice(problem.message);
      }
    }),
  }));
  panel.hidden = false;
  if (song.gone) gone(song);
  if (held) [...panel.querySelectorAll("button, input")].find(each => each.ariaLabel === held)?.focus();
}

function close() {
  open = null;
  panel.hidden = true;
  box.focus();
}

async function alike(song) {
  $("#status").textContent = "Looking for songs that sound like it…";
  try {
    const found = await source.similar(song.id);
    latest++;
    shown = song;
    list.fill(found, async () => ({ rows: [] }));
    $("#status").textContent = `${counted(found.total)} that sound like ${song.name}; the number is how near`;
    $("#back").hidden = false;
    box.focus();
    list.move(0);
  } catch (problem) {
    $("#status").textContent = problem.message;
  }
}

function notice(text, ...buttons) {
  const dismiss = make("button", { type: "button", onclick: () => { $("#notice").hidden = true; } }, "Dismiss");
  $("#notice").replaceChildren(make("p", {}, text), ...buttons, dismiss);
  $("#notice").hidden = false;
}

/** Say that a song is not there, and offer to find out what became of it. */
function gone(song) {
  const missing = `${song.path} is not there any more, or its disk is not mounted.`;
  if (!song.rescan) return notice(missing);
  notice(missing, make("button", {
    type: "button", id: "rescan", onclick: async () => {
      try {
        for (let state = await source.rescan(song.id); ; state = await source.scanning()) {
          notice(state.line);
          if (!state.running) break;
          await new Promise(done => setTimeout(done, 500));
        }
        ask();
        source.tags().then(index);
      } catch (problem) {
        notice(problem.message);
      }
    },
  }, `Scan ${song.rescan}`));
}

const keys = {
  "/": () => { words.focus(); words.select(); },
  "?": () => $("#helped").showModal(),
  Escape: () => { if (open) close(); else if (shown) ask().then(() => box.focus()); else words.focus(); },
  t: async () => { if (list.row) { await panelOf(list.row); (panel.querySelector(".tag button") ?? $("#close")).focus(); } },
};
const soundKeys = {
  s: () => list.row && alike(list.row),
  n: () => player.step(1), p: () => player.step(-1),
  ArrowLeft: () => player.seek(-5), ArrowRight: () => player.seek(5),
};

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || $("#helped").open) return;
  const typing = event.target.matches("input:not([type=range]), select"), inList = event.target === box;
  if (typing && event.key === "Escape" && event.target !== words) return box.focus();
  if (event.target === words && event.key === "ArrowDown") { box.focus(); list.move(Math.max(list.current, 0)); }
  else if (event.target === words && event.key === "Escape" && words.value) { words.value = ""; ask(); }
  else if (typing || event.target.matches("audio")) return;
  else if (inList && list.press(event.key)) {}
  else if (inList && event.key === "Enter" && list.row) source.sound ? player.play(list.row, list.current) : panelOf(list.row);
  else if (inList && event.key === " " && source.sound) player.pause();
  else if (event.key in keys) keys[event.key]();
  else if (source.sound && event.key in soundKeys && (inList || event.key.length === 1)) soundKeys[event.key]();
  else return;
  event.preventDefault();
});

form.addEventListener("input", ask);
form.addEventListener("submit", event => { event.preventDefault(); box.focus(); list.move(0); });
$("#hints").addEventListener("mousedown", event => event.preventDefault()); // what is typed stays in focus
form.addEventListener("focusout", ({ relatedTarget: to }) => {
  if (to !== words && !$("#hints").contains(to)) $("#hints").replaceChildren();
});
$("#none button").addEventListener("click", () => { form.elements.minimum.value = FAINT; ask(); });
box.addEventListener("focus", () => { if (list.current < 0 && box.matches(":focus-visible")) list.move(0); });
$("#back").addEventListener("click", ask);
$("#help").addEventListener("click", keys["?"]);
$("#more").addEventListener("click", event => {
  event.currentTarget.ariaExpanded = form.classList.toggle("open");
});

if (source.sound) player.start(list);
const begun = query();
source.address?.(begun);
if (first.rows) {
  list.fill(first, (from, count) => source.rows(begun, from, count));
  say(first);
} else {
  ask();
}
source.tags().then(index);
words.focus();
