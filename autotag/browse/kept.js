"use strict";

/** The library as it stands in the page: searched here, as the server does, by the words of `autotag find`. */
function kept({ songs, tags, spoken }) {
  const LENGTH = songs.length;
  const scores = tags.map(() => new Uint8Array(LENGTH)); // in hundredths
  songs.forEach((song, at) => {
    for (let i = 0; i < song.scores.length; i += 2) scores[song.scores[i]][at] = song.scores[i + 1];
    song.at = at;
    song.folded = `/${song.folder}/${song.name}`.normalize("NFC").toLowerCase();
  });
  const plain = name => name.toLowerCase().replace(/[\s_-]/g, "");
  const known = name => Object.hasOwn(spoken, plain(name));

  /** The words, those as one that together are a tag or are joined by "or". */
  function joined(words) {
    const found = [];
    for (let at = 0; at < words.length;) {
      let count = Math.min(5, words.length - at);
      while (count > 1 && !known(words.slice(at, at + count).join(" ").replace(/^-/, ""))) count--;
      const word = words.slice(at, at + count).join(" ");
      at += count;
      if (word === "or" && found.length && at < words.length) found.push(`${found.pop()} or ${words[at++]}`);
      else found.push(word);
    }
    return found;
  }

  function seconds(text) {
    const parts = text.split(":").map(Number);
    if (!text || parts.some(Number.isNaN)) throw new Error(`'${text}' is no duration. Write it like 3:00 or 90.`);
    return parts.reduce((sum, part) => 60 * sum + part, 0);
  }

  const compare = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b };
  const RANGE = /^(?:([\d.]+)\s*([<>]=?)\s*)?([^<>]+?)\s*(?:([<>]=?)\s*([\d.:]+))?$/;
  const mirrored = { "<": ">", "<=": ">=", ">": "<", ">=": "<=" };

  /** What a word asks of a song: a function of its place, and whether it is of tags and gives a score. */
  function term(word, wanted, minimum, notes) {
    const path = part => at => songs[at].folded.includes(part.normalize("NFC").toLowerCase());
    if (word.startsWith("path:")) return path(word.slice(5));
    const [, low, first, name, sign, value] = RANGE.exec(word) ?? [];
    if (name === "duration" && sign) return at => compare[sign](songs[at].seconds, seconds(value));
    const names = word.split(/\s+or\s+|\|/).map(part => part.trim());
    if (!first && !sign && !names.every(known)) {
      notes.push(`'${word}' is no tag: it is looked for in the names of files and folders`);
      return path(word);
    }
    if ((first || sign) && !known(name)) throw new Error(`'${name}' is no tag.`);
    const bounds = [[mirrored[first], low], [sign, value]].filter(([sign]) => sign).map(([sign, value]) => [sign, 100 * value]);
    if (!bounds.length) bounds.push([">=", 100 * minimum]);
    const places = (first || sign ? [name] : names).flatMap(name => spoken[plain(name)][wanted ? 0 : 1]);
    const best = at => Math.max(...places.map(place => scores[place][at]));
    const has = at => bounds.every(([sign, value]) => compare[sign](best(at), value));
    return Object.assign(has, { score: bounds.every(([sign]) => sign[0] === "<") ? null : best });
  }

  function search(asked) {
    const { words = "", minimum = 0.5, folder = "", least = "", most = "", sort = "score" } = Object.fromEntries(asked);
    const notes = [], terms = [];
    for (const word of joined(split(words).map(word => word.replaceAll('"', "")).filter(word => word.replaceAll("-", "").trim()))) {
      const wanted = !word.startsWith("-"), has = term(wanted ? word : word.slice(1).trim(), wanted, minimum, notes);
      terms.push({ wanted, has });
    }
    if (folder.trim()) terms.push({ wanted: true, has: term(`path:${folder.trim()}`, true) });
    if (least.trim()) terms.push({ wanted: true, has: at => songs[at].seconds >= seconds(least.trim()) });
    if (most.trim()) terms.push({ wanted: true, has: at => songs[at].seconds <= seconds(most.trim()) });
    const ranked = terms.filter(({ wanted, has }) => wanted && has.score);
    const found = [...songs.keys()].filter(at => terms.every(({ wanted, has }) => has(at) === wanted)).map(at => {
      const score = ranked.reduce((product, { has }) => product * has.score(at) / 100, 1) ** (1 / ranked.length);
      return { ...songs[at], score: ranked.length ? score : undefined };
    });
    const orders = {
      score: (a, b) => (b.score ?? 0) - (a.score ?? 0) || a.at - b.at,
      path: (a, b) => a.at - b.at,
      longest: (a, b) => b.seconds - a.seconds || a.at - b.at,
      shortest: (a, b) => a.seconds - b.seconds || a.at - b.at,
      newest: (a, b) => b.modified - a.modified || a.at - b.at,
      oldest: (a, b) => a.modified - b.modified || a.at - b.at,
    };
    return { rows: found.sort(orders[sort]), notes };
  }

  let last = { asked: "" };
  return {
    async rows(asked, first, count) {
      if (JSON.stringify(asked) !== last.asked) last = { asked: JSON.stringify(asked), ...search(asked) };
      return { total: last.rows.length, rows: last.rows.slice(first, first + count), notes: last.notes };
    },
    tags: async () => tags,
    song: async row => ({
      ...row,
      path: `${row.folder}/${row.name}`,
      said: {},
      tags: tags.map(({ tag, kind }, place) => ({ tag, kind, score: scores[place][row.at] / 100 }))
        .filter(({ score }) => score).sort((a, b) => b.score - a.score),
    }),
  };
}
