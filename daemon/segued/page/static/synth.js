// A small electric piano in Web Audio: a sine that is bent by another of its own pitch (the reed)
// and, for a moment, by one 14 times as high (the tine being struck).

import { pageTime } from "./link.js";

const REED = 1, TINE = 14;
const BUFFER = 0.045; // seconds by which received notes are delayed, so that jitter of the connection is not heard
const RELEASE = 0.12;
const MOST_VOICES = 40;
const PARTS = { you: { pan: -0.18, bright: 1 }, segue: { pan: 0.22, bright: 0.72 } };

export class Synth {
  constructor() {
    this.context = null;
    this.on = false;
    this.volume = 0.7;
    this.voices = new Map(); // "part pitch" -> voice
  }

  // Browsers allow sound only after a click or a key.
  start() {
    this.on = true;
    if (!this.context) this.build();
    this.context.resume();
    this.master.gain.setTargetAtTime(this.loudness, this.context.currentTime, 0.02);
  }

  stop() {
    this.on = false;
    this.silence();
    if (this.context) this.context.suspend();
  }

  get loudness() {
    return 0.5 * this.volume ** 2;
  }

  setVolume(volume) {
    this.volume = volume;
    if (this.context) this.master.gain.setTargetAtTime(this.loudness, this.context.currentTime, 0.02);
  }

  // Milliseconds from a key on this page to its sound, as the browser reports them.
  get latency() {
    if (!this.context) return null;
    return 1000 * ((this.context.baseLatency || 0) + (this.context.outputLatency || 0));
  }

  build() {
    const context = this.context = new AudioContext({ latencyHint: "interactive" });
    this.master = new GainNode(context, { gain: this.loudness });
    const soften = new BiquadFilterNode(context, { type: "lowpass", frequency: 7000, Q: 0.3 });
    const limit = new DynamicsCompressorNode(context, { threshold: -14, ratio: 6, knee: 12,
      attack: 0.002, release: 0.15 });
    this.master.connect(soften).connect(limit).connect(context.destination);
    this.parts = {};
    for (const [name, { pan }] of Object.entries(PARTS)) {
      this.parts[name] = new StereoPannerNode(context, { pan });
      this.parts[name].connect(this.master);
    }
  }

  // From a time of the music process to the time on the audio clock at which it is heard.
  at(music) {
    const now = this.context.currentTime;
    const ahead = pageTime(music) + BUFFER - performance.now() / 1000;
    return now + Math.max(0, Math.min(0.5, ahead));
  }

  noteOn(part, pitch, velocity, time = null) {
    if (!this.on || !this.context) return;
    const at = time ?? this.context.currentTime;
    this.noteOff(part, pitch, at);
    if (this.voices.size >= MOST_VOICES) {
      const [oldest] = this.voices.keys();
      this.release(oldest, at);
    }
    this.voices.set(`${part} ${pitch}`, this.voice(part, pitch, velocity / 127, at));
  }

  voice(part, pitch, force, at) {
    const { context } = this;
    const frequency = 440 * 2 ** ((pitch - 69) / 12);
    const ring = Math.min(9, Math.max(1.2, 7 * (220 / frequency) ** 0.45)); // seconds of decay
    const { bright } = PARTS[part];
    const carrier = new OscillatorNode(context, { frequency });
    const out = new GainNode(context, { gain: 0 });
    const loud = 0.28 * (0.15 + 0.85 * force ** 1.6);
    out.gain.setValueAtTime(0, at);
    out.gain.linearRampToValueAtTime(loud, at + 0.004);
    out.gain.setTargetAtTime(0, at + 0.02, ring / 3);
    const bent = [[REED, bright * (0.35 + 1.9 * force ** 1.5), ring / 5],
      [TINE, bright * 0.55 * force ** 2, 0.09]];
    const modulators = bent.map(([ratio, index, decay]) => {
      const oscillator = new OscillatorNode(context, { frequency: Math.min(18000, frequency * ratio) });
      const depth = new GainNode(context, { gain: 0 });
      depth.gain.setValueAtTime(index * frequency, at);
      depth.gain.setTargetAtTime(0.12 * index * frequency * (ratio === REED ? 1 : 0), at, decay);
      oscillator.connect(depth).connect(carrier.frequency);
      oscillator.start(at);
      return oscillator;
    });
    carrier.connect(out).connect(this.parts[part]);
    carrier.start(at);
    const sources = [carrier, ...modulators];
    for (const source of sources) source.stop(at + 2.2 * ring);
    carrier.onended = () => out.disconnect();
    return { out, sources };
  }

  noteOff(part, pitch, time = null) {
    if (this.context) this.release(`${part} ${pitch}`, time ?? this.context.currentTime);
  }

  release(name, at) {
    const voice = this.voices.get(name);
    if (!voice) return;
    this.voices.delete(name);
    voice.out.gain.cancelScheduledValues(at);
    voice.out.gain.setTargetAtTime(0, at, RELEASE / 3);
    for (const source of voice.sources) source.stop(at + 4 * RELEASE);
  }

  silence() {
    if (!this.context) return;
    for (const name of [...this.voices.keys()]) this.release(name, this.context.currentTime);
  }
}
