"use strict";

const KINDS = ["genre", "mood", "instrument", "voice", "tempo", "era", "other"];

/** Pieces of the page, made of texts that are never read as HTML. */

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true || value === false) element.toggleAttribute(key, value);
    else if (value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter(child => child != null));
  return element;
}

function clock(seconds) {
  const whole = Math.round(seconds), two = value => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

const counted = number => `${number.toLocaleString("en")} ${number === 1 ? "song" : "songs"}`;

/** The words of a search; in quotes what has spaces. */
const split = words => words.match(/-?"[^"]*"?|\S+/g) ?? [];
const bare = word => word.replace(/^-/, "").replaceAll('"', "").toLowerCase();
const quoted = tag => /\s/.test(tag) ? `"${tag}"` : tag;

/** Whether words ask for a tag: "has", "not" or "". */
function asked(words, tag) {
  const word = split(words).find(word => bare(word) === tag.toLowerCase());
  return !word ? "" : word.startsWith("-") ? "not" : "has";
}

/** The words with a tag, without it, or with a minus. */
function asking(words, tag, how) {
  const kept = split(words).filter(word => bare(word) !== tag.toLowerCase());
  if (how) kept.push((how === "not" ? "-" : "") + quoted(tag));
  return kept.join(" ") + (kept.length ? " " : "");
}

/** A row of the list. */
function songRow(row, { play, add, wanted }) {
  const tags = [...row.tags.filter(([tag]) => wanted(tag)), ...row.tags.filter(([tag]) => !wanted(tag))];
  const chips = tags.map(([tag, score]) => make("span", {
    class: wanted(tag) ? "wanted" : score < .5 ? "faint" : null, title: score.toFixed(2), onclick: event => add(event, tag),
  }, tag));
  return make("div", { class: "row", "data-id": row.id },
    play && make("button", { type: "button", tabindex: -1, "aria-hidden": "true", title: "Play", onclick: play }, "▶"),
    make("span", { class: "name" }, make("b", { title: row.name }, row.name), make("small", { title: row.folder }, make("bdi", {}, row.folder))),
    make("span", { class: "chips" }, ...chips),
    make("span", { class: "score" }, row.score == null ? "" : row.score.toFixed(2)),
    make("span", { class: "time" }, clock(row.seconds)));
}

/** The panel of a song: its tags by kind, and what may be done with it. */
function songPanel(song, { close, play, alike, correct, tags }) {
  const row = ({ tag, score }) => {
    const said = song.said[tag];
    const set = (has, sign, label) => make("button", {
      type: "button", class: has ? "yes" : "no", "aria-pressed": String(said === has), "aria-label": `${tag}: ${label}`, title: label,
      onclick: () => correct(tag, said === has ? null : has),
    }, sign);
    const bar = make("i");
    bar.style.width = `calc(${score} * (100% - 8rem))`;
    return make("div", { class: "tag", "data-tag": tag },
      make("span", { class: said === false ? "denied" : null }, tag), make("span", { class: "number" }, said === undefined ? score.toFixed(2) : "by hand"),
      correct ? make("span", {}, set(true, "✓", "it has this tag"), " ", set(false, "✗", "it has not")) : "", bar);
  };
  const known = new Set(song.tags.map(({ tag }) => tag));
  const kinds = new Map(tags.map(({ tag, kind }) => [tag, kind]));
  const denied = Object.keys(song.said).filter(tag => !known.has(tag)).map(tag => ({ tag, score: 0, kind: kinds.get(tag) ?? "other" }));
  const shown = [...song.tags.filter(({ tag, score }) => score >= .1 || tag in song.said), ...denied];
  const grouped = KINDS.map(kind => [kind, shown.filter(tag => tag.kind === kind)]);
  const faint = song.tags.filter(tag => !shown.includes(tag));
  const input = make("input", { list: "known", placeholder: "another tag", "aria-label": "Another tag" });
  const say = has => event => { event.preventDefault(); if (input.value.trim()) correct(input.value.trim(), has); };
  return [
    make("div", { class: "top" }, make("h2", {}, song.name), make("button", { type: "button", id: "close", "aria-label": "Close", onclick: close }, "×")),
    make("p", { class: "path" }, song.path),
    make("div", { class: "actions" },
      play && make("button", { type: "button", onclick: play }, "Play"), alike && make("button", { type: "button", id: "alike", onclick: alike }, "Similar songs")),
    ...grouped.filter(([, some]) => some.length).flatMap(([kind, some]) => [make("h3", {}, kind), ...some.map(row)]),
    correct && make("form", { class: "add", onsubmit: say(true) }, input, make("button", {}, "It has"), make("button", { type: "button", onclick: say(false) }, "It has not")),
    make("datalist", { id: "known" }, ...tags.map(({ tag }) => make("option", { value: tag }))),
    faint.length ? make("details", {}, make("summary", {}, `${faint.length} tags below 0.1`), ...faint.map(row)) : null,
  ].filter(Boolean);
}
