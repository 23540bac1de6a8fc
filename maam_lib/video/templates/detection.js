// The curve, the events and the pictures lead to moments of the video; the playhead follows it.
"use strict";
const { start, end, width, times, scores } = JSON.parse(document.getElementById("curve-data").textContent);
const [video, curve, playhead, says] = ["video", "curve", "playhead", "says"].map((id) => document.getElementById(id));
let moment = start, plays = true;

function clock(seconds) { // m:ss.s, from one hour on h:mm:ss.s
  const tenths = Math.round(10 * seconds), hours = Math.floor(tenths / 36000), minutes = Math.floor(tenths / 600) % 60;
  const two = (number) => String(number).padStart(2, "0"), rest = `${two(Math.floor(tenths / 10) % 60)}.${tenths % 10}`;
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

function scoreAt(time) { // of the stretch of frames that it is in
  let low = 0, high = times.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (times[middle] <= time) low = middle; else high = middle - 1;
  }
  return scores[low];
}

function show(time) {
  moment = Math.min(Math.max(time, start), end);
  const x = width * (moment - start) / (end - start || 1), score = scoreAt(moment + 0.001);
  playhead.setAttribute("x1", x);
  playhead.setAttribute("x2", x);
  says.textContent = score === undefined ? "" : `${clock(moment)}: score ${score.toFixed(2)}`;
  curve.setAttribute("aria-valuenow", moment.toFixed(1));
  curve.setAttribute("aria-valuetext", says.textContent);
}

function jump(time) {
  show(time);
  if (plays) video.currentTime = moment - start + 0.001; // a stamp is in whole milliseconds
}

function follow() {
  if (!video.seeking) show(start + video.currentTime);
  if (!video.paused) requestAnimationFrame(follow);
}

function jumpToPointer(event) {
  const box = curve.getBoundingClientRect();
  jump(start + (end - start) * (event.clientX - box.left) / box.width);
}

const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };
curve.addEventListener("keydown", (event) => {
  if (!(event.key in steps || event.key === " ") || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  if (event.key !== " ") jump(moment + steps[event.key]);
  else if (plays) video.paused ? video.play() : video.pause();
});
curve.addEventListener("pointerdown", (event) => {
  if (event.button === 0) jumpToPointer(event);
});
curve.addEventListener("pointermove", (event) => {
  if (event.buttons === 1) jumpToPointer(event);
});
for (const button of document.querySelectorAll("[data-at]")) {
  button.addEventListener("click", () => {
    jump(Number(button.dataset.at));
    video.scrollIntoView({ block: "nearest" });
  });
}
video.addEventListener("play", follow);
video.addEventListener("seeked", follow);
video.lastElementChild.addEventListener("error", () => { // none of its files is there, or none can be played
  plays = false;
  video.hidden = true;
  document.getElementById("unplayable").hidden = false;
});
video.load(); // once more, as it may have failed before this script ran
show(start);
