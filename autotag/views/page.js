"use strict";

const WAVE = 48, ROW = 22, AXIS = 18; // pixels; WAVE and ROW as in the style
// viridis: the same for every colour vision, and in grey.
const STOPS = ["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"]
  .map(hex => [0, 2, 4].map(at => parseInt(hex.slice(at, at + 2), 16)));
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000];

/** One scale for all songs and models: of the root of a score, because most scores are low. */
function colour(share) {
  const at = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1), low = Math.min(Math.floor(at), STOPS.length - 2);
  return `rgb(${STOPS[low].map((value, i) => Math.round(value + (at - low) * (STOPS[low + 1][i] - value)))})`;
}

function clock(seconds) {
  const whole = Math.floor(seconds), two = value => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A canvas as wide as its box, in device pixels, cleared; its context draws in CSS pixels. */
function fresh(canvas, height) {
  const width = canvas.parentElement.clientWidth, ratio = window.devicePixelRatio;
  canvas.style.height = `${height}px`;
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return [context, width];
}

function taggram(figure) {
  const find = selector => figure.querySelector(selector);
  const { seconds, outline, models } = JSON.parse(find("script").textContent);
  const [select, slider, now, cursor] = ["select", "[role=slider]", ".now", ".cursor"].map(find);
  const audio = figure.parentElement.querySelector("audio");
  let model, position = 0;

  function choose() {
    model = models[select.selectedIndex];
    find("ol").replaceChildren(...model.tags.map(tag => {
      const item = document.createElement("li");
      item.textContent = item.title = tag;
      return item;
    }));
    find(".scale i").style.background = `linear-gradient(to right, ${STOPS.map(stop => `rgb(${stop})`)})`;
    draw();
    show();
  }

  function draw() {
    const quiet = getComputedStyle(now).color;
    const [wave, width] = fresh(find(".wave"), WAVE);
    wave.fillStyle = quiet;
    const step = width / outline.length;
    outline.forEach((peak, i) => wave.fillRect(i * step, WAVE / 2 * (1 - peak), Math.max(step, .5), Math.max(WAVE * peak, .5)));
    const height = ROW * model.tags.length;
    const [heat] = fresh(find(".heat"), height + AXIS);
    const ratio = window.devicePixelRatio, x = model.edges.map(edge => Math.round(edge / seconds * width * ratio) / ratio);
    model.scores.forEach((row, r) => row.forEach((score, i) => {
      heat.fillStyle = colour(Math.sqrt(score / 1000));
      heat.fillRect(x[i], r * ROW, x[i + 1] - x[i], ROW - 1);
    }));
    heat.fillStyle = quiet;
    heat.font = "12px system-ui, sans-serif";
    const every = TICKS.find(tick => seconds / tick * 70 <= width) ?? 36000;
    for (let at = 0; at <= seconds; at += every) {
      const label = clock(at), left = at / seconds * width, wide = heat.measureText(label).width;
      heat.fillText(label, Math.min(Math.max(left - wide / 2, 0), width - wide), height + AXIS - 4);
    }
  }

  /** Say what is at the position, or at another time. */
  function show(at = position) {
    let i = model.edges.findIndex(edge => edge > at) - 1;
    if (i < 0) i = model.edges.length - 2;
    const best = model.tags.map((tag, r) => [model.scores[r][i], tag]).sort((a, b) => b[0] - a[0]).slice(0, 5);
    const said = `${clock(at)}  ${best.map(([score, tag]) => `${tag} ${(score / 1000).toFixed(2)}`).join(", ")}`;
    now.textContent = said;
    if (at !== position) return;
    cursor.style.left = `${100 * position / seconds}%`;
    slider.setAttribute("aria-valuemax", seconds);
    slider.setAttribute("aria-valuenow", position.toFixed(1));
    slider.setAttribute("aria-valuetext", said);
  }

  function seek(to) {
    position = Math.min(Math.max(to, 0), seconds);
    if (audio) audio.currentTime = position;
    show();
  }

  const pointed = event => (event.clientX - slider.getBoundingClientRect().left) / slider.clientWidth * seconds;
  slider.addEventListener("click", event => seek(pointed(event)));
  slider.addEventListener("pointermove", event => show(Math.min(Math.max(pointed(event), 0), seconds)));
  slider.addEventListener("pointerleave", () => show());
  slider.addEventListener("keydown", event => {
    const far = Math.max(10, seconds / 10);
    const moves = {
      ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -far, PageUp: far, Home: -Infinity, End: Infinity,
    };
    if (event.key in moves) seek(position + moves[event.key]);
    else if (event.key === " " && audio) audio.paused ? audio.play() : audio.pause();
    else return;
    event.preventDefault();
  });
  select.addEventListener("change", choose);
  new ResizeObserver(draw).observe(slider);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  if (audio) {
    const follow = () => {
      position = Math.min(audio.currentTime, seconds);
      show();
      if (!audio.paused) requestAnimationFrame(follow);
    };
    audio.addEventListener("play", follow);
    audio.addEventListener("seeked", follow);
  }
  choose();
}

document.querySelectorAll("figure.taggram").forEach(taggram);

/** A table whose headings sort it, and sort it the other way round when pressed again. */
function sortable(table) {
  const body = table.tBodies[0], headings = [...table.tHead.rows[0].cells];
  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent;
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach(other => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = (a, b) => key(a, column).localeCompare(key(b, column), undefined, { numeric: true });
      body.append(...[...body.rows].sort((a, b) => down ? order(b, a) : order(a, b)));
    });
  });
}

document.querySelectorAll("table.sortable").forEach(sortable);

// One sound at a time; and where one song is to be compared with itself, from where the last one was.
let last;
document.addEventListener("play", event => {
  const audio = event.target;
  if (last && last !== audio) {
    last.pause();
    if (audio.closest(".heard")) audio.currentTime = last.currentTime;
  }
  last = audio;
}, true);
