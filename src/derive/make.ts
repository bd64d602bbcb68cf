import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, mkdtemp, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Container } from "#ingest";
import { DocksealError } from "#kernel";
import type { Progress, RunResult } from "./confine.ts";
import type { Derivative, DerivativeFacts, DerivativeRole, Derived } from "./derived.ts";
import { argumentsOf, type Command } from "./ffmpeg-command.ts";
import {
  type PlaybackPlan,
  photoCommand,
  planPlayback,
  playbackCommand,
  posterCommand,
  spriteCommand,
  spriteGrid,
  strictCommand,
  waveformCommand,
  waveformSampleRate,
  withoutCopying,
} from "./plan.ts";
import { type MediaFacts, type Probe, probeMedia, type StreamFacts } from "./probe.ts";
import { runSandboxed } from "./sandbox.ts";
import { limitsOf, type MediaSettings } from "./settings.ts";
import { faultOf } from "./tool-fault.ts";
import { ffmpegVersion } from "./version.ts";
import { PeakGatherer } from "./waveform.ts";

export interface DeriveRequest {
  /** Never changed: it is mounted read-only. */
  readonly inputPath: string;
  /** As the upload named it; it never reaches a command line. */
  readonly fileName: string;
  /** A directory of this clip alone; the caller removes it, whatever the outcome. */
  readonly scratchDir: string;
  readonly settings: MediaSettings;
  readonly signal: AbortSignal;
  /** `fraction` goes from 0 to 1 within each step, as far as the duration is known. */
  readonly onProgress?: (progress: { step: "check" | DerivativeRole; fraction: number }) => void;
}

/**
 * Makes what people need to look at a clip: a viewing copy, a poster, a sprite strip, a waveform. A file that cannot
 * be played is a result, not an error: it is evidence, with a reason.
 * @throws DocksealError `media-tool-failed` (time, memory, disk, a lost sound track), `sandbox-unavailable`;
 * the reason of `signal`.
 */
export async function deriveMedia(request: DeriveRequest): Promise<Derived> {
  const toolVersion = await ffmpegVersion(request.settings, request.signal);
  const probe = await probeMedia(request.inputPath, request);
  const { kind, mediaType, container, facts } = probe;
  const about = { kind, mediaType, ...(facts && { facts }) };
  if (probe.reason !== undefined || facts === undefined || container === undefined) {
    return {
      ...about,
      playable: false,
      reason: probe.reason ?? "decode-failed",
      derivatives: [],
      defects: probe.defects,
    };
  }
  const making = new Making(request, toolVersion, probe, container);
  await making.check(facts);
  const playable = kind === "photo" ? await making.photo(facts) : await making.recording(facts);
  const { derivatives, defects } = making;
  return { ...about, playable, ...(!playable && { reason: "decode-failed" as const }), derivatives, defects };
}

/** One clip being worked on: what has been made of it and what was found wrong. */
class Making {
  readonly derivatives: Derivative[] = [];
  readonly defects: string[];
  readonly #request: DeriveRequest;
  readonly #toolVersion: string;
  readonly #container: Container;

  constructor(request: DeriveRequest, toolVersion: string, probe: Probe, container: Container) {
    this.#request = request;
    this.#toolVersion = toolVersion;
    this.#container = container;
    this.defects = [...probe.defects];
  }

  /** The strict pass: it only reports; the viewing copy is made by a tolerant one. */
  async check(facts: MediaFacts): Promise<void> {
    const { settings } = this.#request;
    const command = strictCommand(this.#container, settings.threads);
    const run = await this.#run(command, "check", facts.durationSeconds, { wallSeconds: settings.strictSeconds });
    if (run.timedOut) this.defects.push(`unchecked: strict decoding was ended after ${settings.strictSeconds} s`);
    else {
      const fault = faultOf("strict decoding", run);
      if (fault !== undefined) this.defects.push(`decode: ${fault}`);
    }
  }

  async photo(facts: MediaFacts): Promise<boolean> {
    const picture = facts.streams.find((stream) => stream.type === "video");
    if (picture === undefined) return false;
    if (this.#container === "bmp_pipe") {
      if (!(await this.#make("playback", "image/jpeg", photoCommand(picture, this.#container)))) return false;
    }
    return this.#make("poster", "image/jpeg", posterCommand(picture, this.#container, 0));
  }

  async recording(facts: MediaFacts): Promise<boolean> {
    const plan = planPlayback(await this.#withSound(facts));
    if (plan === undefined) return false;
    const copy = await this.#playback(plan, facts.durationSeconds);
    if (copy === undefined) return false;
    if (plan.video !== undefined) await this.#pictures(plan.video.stream, copy.pictureSeconds);
    return true;
  }

  /** Makes the waveform; a sound track that holds no sound is named and then left out of the plan. */
  async #withSound(facts: MediaFacts): Promise<MediaFacts> {
    const silent = new Set<StreamFacts>();
    let hasWaveform = false;
    for (const stream of facts.streams.filter(({ type }) => type === "audio")) {
      const command = waveformCommand(stream, this.#container);
      const gatherer = new PeakGatherer();
      const onStdout = (chunk: Buffer) => gatherer.take(chunk);
      const run = await this.#run(command, "waveform", facts.durationSeconds, { onStdout });
      const fault = faultOf("waveform", run);
      if (gatherer.samples === 0) {
        silent.add(stream);
        this.defects.push(`empty-audio: stream ${stream.index}${fault === undefined ? "" : `: ${fault}`}`);
      } else if (!hasWaveform) {
        hasWaveform = true;
        const path = join(await this.#directory("waveform"), "waveform.json");
        await writeFile(path, JSON.stringify(gatherer.result(waveformSampleRate)), { flag: "wx" });
        const durationSeconds = gatherer.samples / waveformSampleRate;
        await this.#keep("waveform", "application/json", path, { durationSeconds }, command, run);
      }
    }
    return { ...facts, streams: facts.streams.filter((stream) => !silent.has(stream)) };
  }

  /** By the plan, and when its streams cannot be copied after all, by encoding them. */
  async #playback(
    plan: PlaybackPlan,
    durationSeconds: number | undefined,
  ): Promise<{ pictureSeconds: number } | undefined> {
    const attempts = plan.action === "transcode" ? [plan] : [plan, withoutCopying(plan)];
    let fault: string | undefined;
    let hasLostSound = false;
    for (const attempt of attempts) {
      const command = playbackCommand(attempt, this.#container, this.#request.settings.threads);
      const { path, ...run } = await this.#run(command, "playback", durationSeconds);
      fault = faultOf("playback", run) ?? "nothing could be decoded";
      const made = run.exitCode === 0 ? await this.#look(path) : undefined;
      const full = (made?.streams ?? []).filter((stream) => (stream.packets ?? 0) > 0);
      const picture = full.find((stream) => stream.type === "video");
      hasLostSound = full.length > 0 && plan.audio.length > 0 && !full.some((stream) => stream.type === "audio");
      if (made === undefined || full.length === 0 || hasLostSound) continue;
      if (plan.video !== undefined && picture === undefined) continue;
      const facts = present({
        width: picture?.width,
        height: picture?.height,
        durationSeconds: made.durationSeconds,
      });
      await this.#keep("playback", plan.video ? "video/mp4" : "audio/mp4", path, facts, command, run);
      return { pictureSeconds: picture?.durationSeconds ?? 0 };
    }
    // A copy that is silent where the original speaks would mislead: better none, and an alarm.
    if (hasLostSound) throw new DocksealError("media-tool-failed", { detail: "the viewing copy lost the sound" });
    this.defects.push(`decode: ${fault}`);
    return undefined;
  }

  async #pictures(stream: StreamFacts, durationSeconds: number): Promise<void> {
    const container = this.#container;
    // Recordings begin with a black or shaky second; a file cut off may not be seekable, then the first picture serves.
    const at = Math.min(5, durationSeconds / 10);
    const hasPoster = await this.#make("poster", "image/jpeg", posterCommand(stream, container, at), { mayFail: true });
    if (!hasPoster) await this.#make("poster", "image/jpeg", posterCommand(stream, container, 0));
    const grid = spriteGrid(durationSeconds);
    await this.#make("sprite", "image/jpeg", spriteCommand(stream, container, grid, durationSeconds), { grid });
  }

  /** Runs a command that makes one picture. @returns whether there is one; if not, a defect says why. */
  async #make(
    role: DerivativeRole,
    mediaType: string,
    command: Command,
    options: { grid?: ReturnType<typeof spriteGrid>; mayFail?: boolean } = {},
  ): Promise<boolean> {
    const { path, ...run } = await this.#run(command, role);
    const fault = faultOf(role, run);
    const picture = fault === undefined ? (await this.#look(path))?.streams[0] : undefined;
    if (picture?.width === undefined || picture.height === undefined) {
      if (options.mayFail !== true) this.defects.push(`${role}: ${fault ?? "no picture"}`);
      return false;
    }
    const { grid } = options;
    const facts = {
      width: picture.width,
      height: picture.height,
      ...(grid && { ...grid, tileHeight: Math.floor(picture.height / grid.rows) }),
    };
    await this.#keep(role, mediaType, path, facts, command, run);
    return true;
  }

  /** What a file that a tool made is; undefined when there is none or nothing in it. */
  async #look(path: string): Promise<MediaFacts | undefined> {
    const exists = await lstat(path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "ENOENT") throw cause;
      return undefined;
    });
    // A tool that a hostile file has taken over could leave a link to a file of this machine, for us to publish.
    if (exists === undefined || !exists.isFile()) return undefined;
    const { settings, signal } = this.#request;
    const seen = await probeMedia(path, { fileName: "derivative", settings, signal });
    return seen.reason === undefined ? seen.facts : undefined;
  }

  async #keep(
    role: DerivativeRole,
    mediaType: string,
    path: string,
    facts: DerivativeFacts,
    command: Command,
    run: RunResult,
  ): Promise<void> {
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash, { signal: this.#request.signal });
    this.derivatives.push({
      ...{ role, path, mediaType, facts },
      sizeBytes: (await stat(path)).size,
      sha256: hash.digest("hex"),
      ...{ tool: "ffmpeg", toolVersion: this.#toolVersion, arguments: argumentsOf(command), sandbox: run.level },
    });
  }

  async #run(
    command: Command,
    step: "check" | DerivativeRole,
    durationSeconds?: number,
    options: { wallSeconds?: number; onStdout?: (chunk: Buffer) => void } = {},
  ): Promise<RunResult & { path: string }> {
    const { inputPath, settings, signal, onProgress } = this.#request;
    const name = /^\/out\/(.+)$/.exec(command.output)?.[1];
    const writableDir = name === undefined ? undefined : await this.#directory(step);
    const report = ({ outSeconds }: Progress) =>
      onProgress?.({ step, fraction: durationSeconds ? Math.min(1, outSeconds / durationSeconds) : 0 });
    const run = await runSandboxed({
      tool: "ffmpeg",
      args: argumentsOf(command),
      readOnly: [inputPath],
      limits: limitsOf(settings, options.wallSeconds),
      sandbox: settings.sandbox,
      signal,
      ...(writableDir !== undefined && { writableDir }),
      ...(onProgress && { onProgress: report }),
      ...(options.onStdout && { onStdout: options.onStdout }),
      ...(settings.programs && { programs: settings.programs }),
    });
    return { ...run, path: join(writableDir ?? "", name ?? "") };
  }

  /** Each run gets a directory of its own, so that a later one cannot touch what an earlier one has made. */
  #directory(step: string): Promise<string> {
    return mkdtemp(join(this.#request.scratchDir, `${step}-`));
  }
}

/** Without the members that are undefined. */
function present(facts: { [K in keyof DerivativeFacts]: DerivativeFacts[K] | undefined }): DerivativeFacts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
