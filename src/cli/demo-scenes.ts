import { existsSync } from "node:fs";

// What the cameras of the demo see: places put together from rectangles, so that ffmpeg draws them by itself.

/** Pixels. The place is drawn a little larger, since whoever carries the camera sways. */
const picture = { width: 640, height: 360 };
const drawn = { width: 664, height: 378 };
export const framesPerSecond = 15;

const fonts = {
  chinese: "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
  plain: "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
};

type Color = string;
type Box = readonly [x: number, y: number, width: number, height: number, color: Color];

interface Scene {
  /** Colors of the sky, above and at the horizon. */
  readonly sky: readonly [Color, Color];
  readonly boxes: readonly Box[];
  /** What moves: across the picture, so many pixels a second, from the left or, below 0, from the right. */
  readonly moving: readonly (Box & readonly [number, number, number, number, Color])[];
  readonly speeds: readonly number[];
}

const row = (count: number, box: (n: number) => readonly Box[]): Box[] =>
  Array.from({ length: count }, (_, n) => box(n)).flat();
const pick = <T>(of: readonly T[], n: number): T => of[n % of.length] as T;

/** Somebody who stands there: coat, head and legs. */
const person = (x: number, y: number, coat: Color): Box[] => [
  [x + 4, y + 52, 8, 34, "0x2a2f38"],
  [x + 16, y + 52, 8, 34, "0x2a2f38"],
  [x, y + 16, 28, 40, coat],
  [x + 7, y, 14, 15, "0xd9ac86"],
  [x + 6, y - 3, 16, 6, "0x20242c"],
];

export const scenes = {
  market: {
    sky: ["0x8fb7dd", "0xe6eef2"],
    boxes: [
      ...row(5, (n): Box[] => [
        [n * 140 - 20, 70 + (n % 2) * 18, 130, 160, pick(["0xb9a58c", "0xa99078", "0xc3b29b"], n)],
        ...row(6, (w): Box[] => [
          [n * 140 - 6 + (w % 3) * 38, 86 + (n % 2) * 18 + Math.floor(w / 3) * 40, 22, 24, "0x5f7386"],
        ]),
      ]),
      [0, 226, 664, 152, "0x8d8a84"],
      [0, 226, 664, 5, "0x77746f"],
      ...row(4, (n): Box[] => [
        ...row(8, (s): Box[] => [
          [
            n * 168 + 12 + s * 18,
            168,
            18,
            26,
            s % 2 === 0 ? pick(["0xb23b34", "0x2f6d9e", "0x3f7f4f", "0xc07a28"], n) : "0xece7dc",
          ],
        ]),
        [n * 168 + 16, 194, 4, 76, "0x5a5148"],
        [n * 168 + 148, 194, 4, 76, "0x5a5148"],
        [n * 168 + 10, 256, 148, 40, "0x7a5c3e"],
        ...row(9, (g): Box[] => [
          [
            n * 168 + 14 + g * 16,
            242 + (g % 2) * 3,
            13,
            15,
            pick(["0xd0552f", "0x7ea63a", "0xe0b23b", "0x8f3f63", "0xd98a2b"], g + n),
          ],
        ]),
      ]),
      ...person(300, 250, "0x34495f"),
      ...person(92, 262, "0x8a4c3c"),
    ],
    moving: [
      [0, 266, 26, 44, "0x3c5a44"],
      [0, 250, 12, 16, "0xd9ac86"],
      [0, 318, 120, 34, "0xb8402f"],
    ],
    speeds: [34, 34, -120],
  },
  night: {
    sky: ["0x0b1020", "0x1e2740"],
    boxes: [
      ...row(6, (n): Box[] => [
        [n * 118 - 10, 40 + ((n * 37) % 70), 106, 220, pick(["0x1a2031", "0x222a3d", "0x151b29"], n)],
        ...row(12, (w): Box[] => [
          [
            ...([n * 118 + (w % 4) * 24, 58 + ((n * 37) % 70) + Math.floor(w / 4) * 34, 14, 18] as const),
            (w * 7 + n * 3) % 5 < 2 ? "0xe9c46a" : "0x2c3650",
          ],
        ]),
      ]),
      [40, 168, 120, 26, "0xd1335b"],
      [52, 176, 96, 10, "0xffd9e2"],
      [420, 154, 150, 26, "0x1f9f8f"],
      [432, 162, 126, 10, "0xcffff5"],
      [0, 238, 664, 140, "0x23262e"],
      ...row(9, (n): Box[] => [[n * 80 + 10, 306, 44, 5, "0x8d8a6a"]]),
      ...row(3, (n): Box[] => [
        [n * 210 + 60, 214, 92, 44, "0x5b4a35"],
        [n * 210 + 54, 196, 104, 18, pick(["0xa33222", "0x38699c", "0xb07a1e"], n)],
        [n * 210 + 98, 206, 10, 10, "0xfff1b8"],
      ]),
      ...person(252, 216, "0xb7c94a"),
    ],
    moving: [
      [0, 284, 96, 36, "0x2f3d5c"],
      [0, 296, 12, 9, "0xfff4c2"],
    ],
    speeds: [150, 150],
  },
  plant: {
    sky: ["0x9aa4ad", "0xd8d6cc"],
    boxes: [
      [70, 30, 34, 200, "0x8b6d5e"],
      [70, 52, 34, 12, "0xc9c1b8"],
      [150, 60, 28, 170, "0x93766a"],
      [150, 78, 28, 10, "0xc9c1b8"],
      [200, 130, 250, 110, "0x7d858c"],
      ...row(7, (n): Box[] => [[212 + n * 34, 150, 20, 26, "0x55626d"]]),
      [470, 150, 74, 90, "0xa7adb1"],
      [560, 130, 74, 110, "0x9aa1a6"],
      [0, 236, 664, 46, "0x6f7a55"],
      ...row(34, (n): Box[] => [[n * 20, 222, 3, 30, "0x4d5560"]]),
      [0, 230, 664, 3, "0x4d5560"],
      [0, 282, 664, 96, "0x5c7580"],
      [0, 282, 664, 6, "0x46593f"],
      [352, 262, 40, 24, "0x3f4347"],
      [360, 286, 24, 60, "0x8a7a3c"],
      [336, 330, 90, 48, "0x7d7240"],
    ],
    moving: [
      [0, 8, 150, 24, "0xc7c4bd@0.7"],
      [0, 34, 120, 20, "0xb4b2ad@0.7"],
      [0, 352, 90, 8, "0x7f96a0@0.8"],
    ],
    speeds: [26, 18, -40],
  },
  site: {
    sky: ["0x7fb0d8", "0xe9d9bd"],
    boxes: [
      [470, 20, 12, 230, "0xd09a2a"],
      [300, 34, 300, 9, "0xd09a2a"],
      [340, 43, 3, 90, "0x555555"],
      [326, 130, 32, 18, "0x8c5a3a"],
      [60, 90, 200, 150, "0xb7aea2"],
      ...row(5, (n): Box[] => [[60, 96 + n * 30, 200, 4, "0x837a70"]]),
      ...row(9, (n): Box[] => [[58 + n * 25, 82, 4, 160, "0x6f7f3c"]]),
      ...row(3, (n): Box[] => [[70 + n * 64, 128 + (n % 2) * 30, 34, 22, "0x4a5560"]]),
      [0, 238, 664, 140, "0xb3936b"],
      [0, 238, 664, 8, "0x9c7d57"],
      ...row(12, (n): Box[] => [[n * 60, 214, 52, 30, n % 2 === 0 ? "0x2f7fb5" : "0x3a8bc2"]]),
      [380, 290, 140, 50, "0x9a8468"],
      [410, 276, 80, 18, "0xa48e70"],
      ...person(220, 262, "0xe07b1a"),
      ...person(256, 268, "0xe3c51e"),
    ],
    moving: [
      [0, 268, 110, 42, "0xd9a520"],
      [0, 252, 44, 20, "0xe5b93a"],
      [0, 300, 200, 26, "0xcbb796@0.5"],
    ],
    speeds: [46, 46, 64],
  },
  passage: {
    sky: ["0xd8dadb", "0xb6babc"],
    boxes: [
      [0, 0, 664, 90, "0xe4e6e6"],
      [190, 70, 284, 190, "0xc5c9ca"],
      [262, 110, 140, 140, "0x9fb3ab"],
      [270, 118, 60, 132, "0x6f8f83"],
      [334, 118, 60, 132, "0x6f8f83"],
      [292, 84, 80, 20, "0x1f8a4c"],
      [300, 90, 64, 8, "0xd7f5e2"],
      [0, 260, 664, 118, "0x8f8a80"],
      ...row(6, (n): Box[] => [[n * 120 - 20, 300, 70, 4, "0x7c776e"]]),
      [40, 40, 26, 220, "0xb0b4b5"],
      [598, 40, 26, 220, "0xb0b4b5"],
      [90, 150, 34, 60, "0xb3261e"],
      [97, 160, 20, 20, "0xf2f2f2"],
      ...row(5, (n): Box[] => [
        [
          450 + (n % 3) * 44,
          236 + Math.floor(n / 3) * 44 - (n % 2) * 8,
          42,
          42,
          pick(["0xa9825a", "0x9b744c", "0xb8925f"], n),
        ],
      ]),
      [140, 268, 100, 46, "0x4d5a68"],
    ],
    moving: [
      [0, 210, 30, 90, "0x35506b"],
      [0, 190, 16, 18, "0xd9ac86"],
    ],
    speeds: [44, 44],
  },
  yard: {
    sky: ["0x86a9c4", "0xdfe5e2"],
    boxes: [
      ...row(7, (n): Box[] => [
        [n * 104 - 30, 150 - ((n * 29) % 60), 96, 120, pick(["0x6c8a63", "0x5d7d58", "0x789467"], n)],
      ]),
      [120, 120, 260, 130, "0xc9b79c"],
      [104, 96, 292, 28, "0x9b4a3a"],
      [150, 156, 44, 52, "0x56656f"],
      [226, 156, 44, 94, "0x6b4a33"],
      [304, 156, 44, 52, "0x56656f"],
      [380, 140, 60, 110, "0xb3a48b"],
      [0, 248, 664, 130, "0xa49a86"],
      ...row(14, (n): Box[] => [
        [
          390 + ((n * 53) % 210),
          236 + ((n * 31) % 60),
          30 - (n % 3) * 7,
          16,
          pick(["0x8e7f6b", "0xa8563f", "0x9d9a92"], n),
        ],
      ]),
      ...row(23, (n): Box[] => [[n * 30, 292, 16, 5, n % 2 === 0 ? "0xd92f2f" : "0xf0ede4"]]),
      ...person(60, 258, "0x2f4d6e"),
    ],
    moving: [
      [0, 196, 120, 56, "0xe0a21b"],
      [0, 172, 44, 26, "0xf0bd4a"],
    ],
    speeds: [-30, -30],
  },
  office: {
    sky: ["0xdcd8cd", "0xcfcabb"],
    boxes: [
      [0, 0, 664, 250, "0xd9d4c6"],
      [60, 40, 150, 100, "0xf4f4ef"],
      ...row(5, (n): Box[] => [[76, 58 + n * 15, 110 - (n % 3) * 22, 4, "0x9aa0a6"]]),
      [470, 30, 130, 120, "0x9cc3d8"],
      [533, 30, 4, 120, "0xf4f4ef"],
      [0, 250, 664, 128, "0x8a7a66"],
      ...person(210, 150, "0x23364d"),
      ...person(292, 152, "0x23364d"),
      ...person(430, 156, "0x7a6a5a"),
      [150, 222, 380, 30, "0x6b4b2f"],
      [160, 252, 16, 90, "0x573c25"],
      [504, 252, 16, 90, "0x573c25"],
      [270, 208, 60, 16, "0xf0efe9"],
      [360, 196, 44, 28, "0x2b3036"],
    ],
    moving: [[0, 356, 60, 8, "0x7c6d5a@0.6"]],
    speeds: [20],
  },
} as const satisfies Record<string, Scene>;
export type SceneName = keyof typeof scenes;

export interface Shot {
  readonly scene: SceneName;
  /** Makes one place look otherwise: mirrored, at another hour, from another side. */
  readonly variant: number;
  /** So long ago what moves began to. */
  readonly goingOnSeconds: number;
  /** Into the picture, as cameras write it: who recorded, and where. */
  readonly caption: string;
  readonly place: string;
  /** When the picture was taken, by the recorder's clock, seconds since 1970 as if its zone were UTC. */
  readonly shownSeconds: number;
}

/** @returns a graph for ffmpeg's `lavfi` device: the picture as the camera saw it, with its line of text. */
export function shotGraph({ scene, variant, goingOnSeconds, caption, place, shownSeconds }: Shot): string {
  const { sky, boxes, moving, speeds }: Scene = scenes[scene];
  const size = `${drawn.width}x${drawn.height}`;
  const light = [0, -0.05, 0.05, -0.09][variant % 4];
  const still = [
    `gradients=s=${size}:r=${framesPerSecond}:n=2:c0=${sky[0]}:c1=${sky[1]}:x0=0:y0=0:x1=0:y1=${drawn.height}:speed=0.00001`,
    ...boxes.map(([x, y, w, h, color]) => `drawbox=${x}:${y}:${w}:${h}:${color}:fill`),
    // Drawn once, and repeated.
    `trim=end_frame=1,loop=-1:1:0,setpts=N/${framesPerSecond}/TB`,
  ].join(",");
  const things = moving.map(
    ([, , w, h, color], n) => `color=${color}:s=${w}x${h}:r=${framesPerSecond},format=yuva420p[m${n}]`,
  );
  const laid = moving.map(([, y, w], n) => {
    const speed = pick(speeds, n);
    const way = `mod((t+${goingOnSeconds})*${Math.abs(speed)}+${(variant * 173) % drawn.width}\\,W+${w})`;
    return `[s${n}][m${n}]overlay=x='${speed > 0 ? `${way}-${w}` : `W-${way}`}':y=${y}:shortest=0[s${n + 1}]`;
  });
  const sway = `crop=${picture.width}:${picture.height}:x='12+9*sin((t+${goingOnSeconds})*1.7+${variant})':y='9+6*sin((t+${goingOnSeconds})*2.3)'`;
  const look = [
    sway,
    ...(variant % 2 === 1 ? ["hflip"] : []),
    `eq=brightness=${light}:saturation=${1 - (variant % 3) * 0.12}`,
    "noise=alls=5:allf=t",
    ...text(`${caption} %{pts\\:gmtime\\:${shownSeconds}}`, fonts.plain, "x=24:y=h-32:fontsize=17"),
    ...text(place, fonts.chinese, "x=24:y=14:fontsize=18"),
  ];
  return [`${still}[s0]`, ...things, ...laid, `[s${moving.length}]${look.join(",")}`].join(";");
}

/** Without the font a picture carries no text. A colon separates options, hence its backslash. */
function text(words: string, font: string, where: string): string[] {
  if (!existsSync(font)) return [];
  return [`drawtext=fontfile=${font}:fontcolor=white:box=1:boxcolor=black@0.55:boxborderw=5:${where}:text='${words}'`];
}
