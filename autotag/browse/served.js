"use strict";

/** The library, asked through the server that the page came from. */
const served = {
  sound: true,

  get: (name, values = {}) => served.ask(`${name}?${new URLSearchParams(values)}`),

  post: (name, values) => served.ask(name, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values),
  }),

  async ask(address, options) {
    const answer = await fetch(address, options).catch(() => {
      throw new Error("autotag browse does not answer. Start it again, and open the address that it prints.");
    });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    return found;
  },

  rows: (asked, first, count) => served.get("rows", [...asked, ["first", first], ["count", count]]),
  tags: () => served.get("tags"),
  song: row => served.get("song", { id: row.id }),
  similar: id => served.get("similar", { id }),
  correct: (id, tag, has) => served.post("correct", { id, tag, has }),
  rescan: id => served.post("rescan", { id }),
  scanning: () => served.get("rescan"),

  /** What is asked for stands in the address, so that the page can be loaded again, and in that of the playlist. */
  address(asked) {
    const values = new URLSearchParams(asked).toString();
    history.replaceState(null, "", values ? `?${values}` : location.pathname);
    document.querySelector("#save").href = `playlist.m3u8?${values}`;
  },
};

document.querySelector("#save").addEventListener("click", async event => {
  event.preventDefault();
  const link = event.currentTarget, answer = await fetch(link.href), text = await answer.text();
  if (!answer.ok) return notice(JSON.parse(text).error);
  const url = URL.createObjectURL(new Blob([text], { type: "audio/x-mpegurl" }));
  const left = Number(answer.headers.get("X-Left-Out")), songs = text.split("\n#EXTINF").length - 1;
  make("a", { href: url, download: link.download }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  notice(`Saved ${counted(songs)} as ${link.download}.` + (left
    ? ` ${counted(left)} left out: a name with a line break, or that is not UTF-8, cannot stand in a playlist.` : ""));
});

/** What is played, and the songs that follow it: those of the list in which it was started. */
const player = {
  id: null,
  following: false, // whether the song before has led to this one; a few that cannot be played are passed over
  failures: 0,

  start(list) {
    this.list = list;
    this.bar = document.querySelector("#player");
    this.audio = this.bar.querySelector("audio");
    this.bar.querySelector("#before").addEventListener("click", () => this.step(-1));
    this.bar.querySelector("#after").addEventListener("click", () => this.step(1));
    this.audio.addEventListener("ended", () => { this.following = true; this.step(1); });
    this.audio.addEventListener("playing", () => { this.failures = 0; });
    this.audio.addEventListener("error", () => this.failed());
    navigator.mediaSession?.setActionHandler("nexttrack", () => this.step(1));
    navigator.mediaSession?.setActionHandler("previoustrack", () => this.step(-1));
  },

  play(row, index) {
    this.queue = { fetch: this.list.fetch, rows: this.list.rows, total: this.list.total, index };
    this.following = false;
    document.querySelector("#notice").hidden = true;
    this.load(row);
  },

  load(row) {
    this.id = row.id;
    this.row = row;
    this.bar.hidden = false;
    this.bar.querySelector("p").textContent = row.name;
    document.title = `${row.name} · autotag`;
    this.source(`sound?id=${row.id}`);
    if (navigator.mediaSession) navigator.mediaSession.metadata = new MediaMetadata({ title: row.name });
    for (const element of this.list.shown.values()) element.classList.toggle("playing", element.dataset.id === String(row.id));
  },

  source(address) {
    this.audio.src = address;
    this.audio.play().catch(() => {}); // an error event follows where it cannot be played
  },

  async step(by) {
    const { queue } = this, index = queue ? queue.index + by : -1;
    if (!queue || index < 0 || index >= queue.total) return;
    queue.index = index;
    const row = queue.rows.get(index) ?? (await queue.fetch(index, 1).catch(() => ({ rows: [] }))).rows[0];
    if (row && queue === this.queue && queue.index === index) this.load(row);
  },

  pause() {
    if (this.id === null) return;
    this.audio.paused ? this.audio.play() : this.audio.pause();
  },

  seek(by) {
    if (this.id !== null) this.audio.currentTime += by;
  },

  async failed() {
    const { row } = this;
    const song = await served.song(row).catch(() => null);
    if (!song) return notice(`The library has no ${row.name} any more.`);
    if (song.gone) gone(song);
    else if (!this.audio.src.includes("sound.mp3")) return this.source(`sound.mp3?id=${row.id}`);
    else notice(`${song.path}: it cannot be played.`);
    if (this.following && ++this.failures <= 3) this.step(1);
  },
};
