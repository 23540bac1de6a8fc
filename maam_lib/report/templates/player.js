// Algorithm 1 and its measures in the browser, by the rules of maam_lib (pscd.py, windows.py, metrics.py).
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const [H, W] = data.size, B = data.block, h = Math.ceil(H / B), w = Math.ceil(W / B);
const $ = (id) => document.getElementById(id);

// Error maps: levels of 8 bits -> one integral image per frame and branch, in which a block is constant.

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function integrals(levels) { // (T, 2, h, w) -> per frame and branch (h+1, w+1), sums over all pixels above and left
  const size = h * w, count = levels.length / size, out = [];
  for (let k = 0; k < count; k++) {
    const largest = data.largest[k % 2], sums = new Float64Array((h + 1) * (w + 1));
    for (let y = 0; y < h; y++) {
      const tall = Math.min(B, H - y * B);
      let row = 0;
      for (let x = 0; x < w; x++) {
        const q = levels[k * size + y * w + x] / 255;
        row += q * q * largest * tall * Math.min(B, W - x * B);
        sums[(y + 1) * (w + 1) + x + 1] = sums[y * (w + 1) + x + 1] + row;
      }
    }
    out.push(sums);
  }
  return out; // frame t: appearance at 2t, motion at 2t + 1
}

function windows(n, side, step) { // windows.patch_bounds: first pixel of every patch and the one after its last
  if (data.padding === "valid") {
    const count = Math.floor((n - side) / step) + 1;
    return Array.from({ length: count }, (_, i) => [i * step, i * step + side]);
  }
  const count = Math.ceil(n / step), before = Math.floor(Math.max((count - 1) * step + side - n, 0) / 2);
  const inside = (v) => Math.min(Math.max(v, 0), n);
  return Array.from({ length: count }, (_, i) => [inside(i * step - before), inside(i * step - before + side)]);
}

function corners(bounds, n, blocks) { // a border in pixels -> block below it and how much of that block is passed
  return bounds.flat().map((v) => {
    const k = Math.min(Math.floor(v / B), blocks - 1);
    return [k, (v - k * B) / Math.min(B, n - k * B)];
  });
}

function patchSums(images, rows, columns) { // -> Float32Array (T, 2, ph, pw)
  const ph = rows.length, pw = columns.length, out = new Float32Array(images.length * ph * pw);
  const ys = corners(rows, H, h), xs = corners(columns, W, w), band = new Float64Array(w + 1);
  images.forEach((sums, k) => {
    for (let i = 0; i < ph; i++) {
      const [top, a] = ys[2 * i], [bottom, b] = ys[2 * i + 1], t = top * (w + 1), u = bottom * (w + 1);
      for (let x = 0; x <= w; x++) {
        const high = sums[t + x] + a * (sums[t + w + 1 + x] - sums[t + x]);
        band[x] = sums[u + x] + b * (sums[u + w + 1 + x] - sums[u + x]) - high;
      }
      for (let j = 0; j < pw; j++) {
        const [left, c] = xs[2 * j], [right, d] = xs[2 * j + 1];
        const first = band[left] + c * (band[left + 1] - band[left]);
        out[(k * ph + i) * pw + j] = band[right] + d * (band[right + 1] - band[right]) - first;
      }
    }
  });
  return out;
}

function scoresOf(sums, cells, psi) { // fuse, then the largest patch of every frame
  const count = sums.length / (2 * cells), scores = new Float64Array(count), places = new Int32Array(count);
  for (let t = 0; t < count; t++) {
    let best = -Infinity;
    for (let i = 0; i < cells; i++) {
      const fused = psi * sums[2 * t * cells + i] + (1 - psi) * sums[(2 * t + 1) * cells + i];
      if (fused > best) { best = fused; places[t] = i; }
    }
    scores[t] = best;
  }
  return { scores, places };
}

function quantile(values, q) { // as numpy: linear between the two nearest
  const sorted = Float64Array.from(values).sort(), at = q * (sorted.length - 1), low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

function measured(labels, scores) { // metrics.roc_auc (ties count half) and metrics.equal_error_rate
  const order = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
  const abnormal = labels.reduce((a, b) => a + b, 0), normal = labels.length - abnormal;
  let hits = 0, alarms = 0, area = 0, eer = null;
  for (let i = 0; i < order.length;) {
    const before = [hits, alarms], score = scores[order[i]];
    for (; i < order.length && scores[order[i]] === score; i++) labels[order[i]] ? hits++ : alarms++;
    area += (alarms - before[1]) * (hits + before[0]) / 2;
    const miss = 1 - hits / abnormal, wrong = alarms / normal;
    if (eer === null && wrong >= miss) {
      const missed = 1 - before[0] / abnormal, raised = before[1] / normal, gap = missed - raised;
      eer = raised + gap / (gap + wrong - miss) * (wrong - raised);
    }
  }
  return { auc: area / (abnormal * normal), eer };
}

// State: what the sliders say, and what follows from it.

const state = { psi: data.psi, patch: [...data.patch], share: 0.25, follows: true, threshold: 0, clip: 0, frame: 0,
                view: "picture", playing: false, game: null };
const clips = data.clips, labels = clips.flatMap((clip) => clip.labels);
let test, training, starts, result;

function stride() { return state.patch.map((side) => Math.max(1, Math.floor(side * state.share + 0.5))); }

function sumAgain() { // after a change of patch or stride
  const [down, across] = stride();
  const rows = windows(H, state.patch[0], down), columns = windows(W, state.patch[1], across);
  state.sums = { rows, columns, cells: rows.length * columns.length,
                 test: patchSums(test, rows, columns), training: patchSums(training, rows, columns) };
  scoreAgain();
}

function scoreAgain() { // after a change of psi
  const { cells } = state.sums;
  result = scoresOf(state.sums.test, cells, state.psi);
  const normal = scoresOf(state.sums.training, cells, state.psi).scores;
  state.calibrated = quantile(normal, data.quantile);
  if (state.follows) state.threshold = state.calibrated;
  Object.assign(result, measured(labels, result.scores));
  result.top = result.scores.reduce((a, b) => Math.max(a, b), state.calibrated) * 1.02;
  show();
}

// Drawing

const stage = $("stage"), paint = stage.getContext("2d"), small = new OffscreenCanvas(w, h), dots = small.getContext("2d");
function heat(v) { // from clear over red to yellow
  return [255, Math.round(255 * Math.max(0, v * 2 - 0.9)), 30, Math.round(230 * Math.min(1, v * 1.3))];
}

function drawStage() {
  const t = starts[state.clip] + state.frame, clip = clips[state.clip], columns = data.columns;
  const at = [state.frame % columns * W, Math.floor(state.frame / columns) * H];
  paint.imageSmoothingEnabled = true;
  const plain = state.view === "picture" || state.game?.hidden; // in the game nothing helps
  paint.filter = plain ? "none" : "grayscale(1) brightness(0.6)";
  paint.drawImage(clip.image, ...at, W, H, 0, 0, stage.width, stage.height);
  paint.filter = "none";
  if (state.game?.hidden) return;
  if (state.view !== "picture") drawErrors(t);
  const { rows, columns: across, cells } = state.sums, zoom = stage.width / W;
  if (result.scores[t] >= state.threshold) {
    const i = result.places[t], [y, y2] = rows[Math.floor(i / across.length)], [x, x2] = across[i % across.length];
    paint.strokeStyle = "#39d0ff"; paint.lineWidth = 3;
    paint.strokeRect(x * zoom, y * zoom, (x2 - x) * zoom, (y2 - y) * zoom);
  }
}

function drawErrors(t) {
  const pixels = dots.createImageData(w, h), psi = { appearance: 1, motion: 0, fused: state.psi }[state.view];
  const top = Math.max(psi * data.largest[0], (1 - psi) * data.largest[1]) / 2, [a, m] = [test[2 * t], test[2 * t + 1]];
  const cell = (sums, y, x) => {
    const i = y * (w + 1) + x, area = Math.min(B, H - y * B) * Math.min(B, W - x * B);
    return (sums[i + w + 2] - sums[i + w + 1] - sums[i + 1] + sums[i]) / area;
  };
  for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
    const v = (psi * cell(a, y, x) + (1 - psi) * cell(m, y, x)) / top;
    pixels.data.set(heat(Math.min(1, Math.max(0, v))), 4 * (y * w + x));
  }
  dots.putImageData(pixels, 0, 0);
  paint.drawImage(small, 0, 0, w, h, 0, 0, stage.width * w * B / W, stage.height * h * B / H);
}

function curveOf(k, width, height) { // SVG of one clip: abnormal spans, threshold, score
  const list = clips[k].labels, n = list.length, x = (i) => (i / (n - 1) * width).toFixed(1);
  const y = (v) => (height - v / result.top * height).toFixed(1);
  const shown = !state.game?.hidden;
  const spans = shown ? [...list.join("").matchAll(/1+/g)] : [];
  const bars = spans.map((s) => `<rect class="abnormal" x="${x(s.index - 0.5)}" y="0" width="${s[0].length * width / (n - 1)}" height="${height}"/>`);
  const line = Array.from({ length: n }, (_, i) => `${x(i)},${y(result.scores[starts[k] + i])}`).join(" ");
  const marks = shown ? `<line class="limit" x1="0" x2="${width}" y1="${y(state.threshold)}" y2="${y(state.threshold)}"/><polyline class="score" points="${line}"/>` : "";
  const cursor = k === state.clip ? `<line class="cursor" x1="${x(state.frame)}" x2="${x(state.frame)}" y1="0" y2="${height}"/>` : "";
  return `<svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true">${bars.join("")}${marks}${cursor}</svg>`;
}

function show() {
  const raised = Array.from(result.scores, (s) => s >= state.threshold), abnormal = labels.filter(Boolean).length;
  const hits = raised.filter((r, i) => r && labels[i]).length, wrong = raised.filter((r, i) => r && !labels[i]).length;
  const percent = (a, b) => `${(100 * a / b).toFixed(0)} %`;
  $("auc").textContent = result.auc.toFixed(3);
  $("eer").textContent = result.eer.toFixed(3);
  $("hits").textContent = percent(hits, abnormal);
  $("wrong").textContent = percent(wrong, labels.length - abnormal);
  $("psi-says").textContent = state.psi.toFixed(3);
  $("high-says").textContent = `${state.patch[0]} pixels`;
  $("wide-says").textContent = `${state.patch[1]} pixels`;
  $("stride-says").textContent = `${stride().join("×")} pixels`;
  $("threshold-says").textContent = state.threshold.toFixed(1);
  for (const id of ["psi", "high", "wide", "stride", "threshold"]) $(id).setAttribute("aria-valuetext", $(`${id}-says`).textContent);
  $("threshold").max = result.top; $("threshold").step = result.top / 500; $("threshold").value = state.threshold;
  showClip();
}

function showClip() {
  const t = starts[state.clip] + state.frame, clip = clips[state.clip];
  drawStage();
  $("curve").innerHTML = curveOf(state.clip, 600, 90);
  document.querySelectorAll("#clips button").forEach((button, k) => {
    button.setAttribute("aria-pressed", k === state.clip);
    button.querySelector("span").innerHTML = curveOf(k, 100, 28);
  });
  $("time").max = clip.labels.length - 1; $("time").value = state.frame;
  const alarm = result.scores[t] >= state.threshold;
  $("says").textContent = state.game?.hidden ? `${clip.name}, frame ${state.frame}`
    : `${clip.name}, frame ${state.frame}: score ${result.scores[t].toFixed(1)}, ${alarm ? "alarm" : "no alarm"}; truth: ${clip.labels[state.frame] ? "abnormal" : "normal"}`;
}

// Playing, and the game

let timer = null;
function play(on) {
  state.playing = on; $("play").textContent = on ? "Pause" : "Play";
  clearInterval(timer);
  if (on) timer = setInterval(() => {
    if (state.frame + 1 < clips[state.clip].labels.length) state.frame++;
    else if (state.game?.hidden) return endRound();
    else state.frame = 0;
    showClip();
  }, 90);
}

function choose(clip, frame = 0) { state.clip = clip; state.frame = frame; showClip(); }

function startGame() {
  const order = clips.map((_, k) => k).sort(() => Math.random() - 0.5).slice(0, 5);
  state.game = { order, round: 0, you: 0, network: 0, pressed: null, hidden: true };
  $("game").hidden = false; $("log").replaceChildren();
  startRound();
}

function startRound() {
  const game = state.game;
  Object.assign(game, { pressed: null, hidden: true });
  document.body.classList.add("playing", "guessing");
  $("spot").disabled = false; $("next").hidden = true; $("spot").focus({ preventScroll: true });
  document.querySelector(".top").scrollIntoView();
  $("round").textContent = `Clip ${game.round + 1} of ${game.order.length}`;
  choose(game.order[game.round]);
  play(true);
}

function spot() {
  if (state.game?.hidden && state.game.pressed === null) {
    state.game.pressed = state.frame;
    $("spot").disabled = true;
    $("round").textContent = `You said: abnormal from frame ${state.frame}. The clip continues.`;
  }
}

function endRound() { // the first to call an abnormal frame, without a false alarm before, gets the point
  play(false);
  const game = state.game, clip = clips[state.clip], start = starts[state.clip];
  const first = clip.labels.map((_, t) => t).find((t) => result.scores[start + t] >= state.threshold);
  const right = (t) => t !== undefined && t !== null && clip.labels[t] === 1;
  const you = right(game.pressed), network = right(first);
  const winner = you && (!network || game.pressed < first) ? "you" : network && (!you || first < game.pressed) ? "network" : null;
  if (winner) game[winner]++;
  const word = (t) => t === undefined || t === null ? "nothing" : `frame ${t}${clip.labels[t] ? "" : " (a normal frame)"}`;
  const line = document.createElement("li");
  line.textContent = `${clip.name}: abnormal from frame ${clip.labels.indexOf(1)}; you: ${word(game.pressed)}; the network: ${word(first)}. ` +
    (winner ? `Point for ${winner === "you" ? "you" : "the network"}.` : "No point.");
  $("log").append(line);
  document.body.classList.remove("guessing");
  game.hidden = false; game.round++;
  const over = game.round === game.order.length;
  $("round").textContent = `You ${game.you}, the network ${game.network}${over ? ". The game is over." : ""}`;
  $("spot").disabled = true; $("next").hidden = over;
  if (over) { state.game = null; document.body.classList.remove("playing"); } else $("next").focus();
  showClip();
}

// The page

function listen() {
  const slide = (id, set) => $(id).addEventListener("input", (e) => { set(Number(e.target.value)); });
  slide("psi", (v) => { state.psi = v; scoreAgain(); });
  slide("high", (v) => { state.patch[0] = v; sumAgain(); });
  slide("wide", (v) => { state.patch[1] = v; sumAgain(); });
  slide("stride", (v) => { state.share = 2 ** v; sumAgain(); });
  slide("threshold", (v) => { state.threshold = v; state.follows = $("follows").checked = false; show(); });
  slide("time", (v) => { state.frame = v; showClip(); });
  $("follows").addEventListener("change", (e) => { state.follows = e.target.checked; scoreAgain(); });
  $("reset").addEventListener("click", reset);
  $("play").addEventListener("click", () => play(!state.playing));
  $("view").addEventListener("change", (e) => { state.view = e.target.value; drawStage(); });
  $("curve").addEventListener("click", (e) => {
    const box = $("curve").getBoundingClientRect();
    choose(state.clip, Math.round((e.clientX - box.left) / box.width * (clips[state.clip].labels.length - 1)));
  });
  $("start").addEventListener("click", startGame);
  $("spot").addEventListener("click", spot);
  $("next").addEventListener("click", startRound);
}

function reset() {
  Object.assign(state, { psi: data.psi, patch: [...data.patch], share: 0.25, follows: true });
  $("psi").value = state.psi; $("high").value = state.patch[0]; $("wide").value = state.patch[1];
  $("stride").value = -2; $("follows").checked = true;
  sumAgain();
}

async function begin() {
  const maps = await Promise.all(clips.map((clip) => inflate(clip.maps)));
  test = maps.flatMap(integrals);
  training = integrals(await inflate(data.training));
  starts = clips.map((_, k) => clips.slice(0, k).reduce((sum, clip) => sum + clip.labels.length, 0));
  await Promise.all(clips.map(async (clip) => {
    clip.image = Object.assign(new Image(), { src: clip.sheet });
    await clip.image.decode();
  }));
  stage.width = 3 * W; stage.height = 3 * H;
  $("high").max = H; $("wide").max = W;
  clips.forEach((clip, k) => {
    const button = document.createElement("button");
    button.innerHTML = `<span></span>`; button.append(clip.name);
    button.addEventListener("click", () => { if (!state.game?.hidden) choose(k); });
    $("clips").append(button);
  });
  listen();
  reset();
  $("wait").hidden = true; $("all").hidden = false;
  // For tests and the console: set any of psi, patch, share, threshold; get what follows.
  window.player = { state, set(changes) { Object.assign(state, changes); sumAgain(); return { ...result, scores: Array.from(result.scores), threshold: state.threshold }; } };
}
begin().catch((error) => { $("wait").textContent = `This browser cannot play the page (${error}). Chrome, Edge, Firefox and Safari since 2023 can.`; });
