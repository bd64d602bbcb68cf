import { shanghaiYear } from "./demo-times.ts";

// Who and what the demo is about.

export const organizationOfDemo = "示范县城市管理局";
export const peopleOfDemo = [
  { role: "handler", name: "handler", displayName: "李办案" },
  { role: "supervisor", name: "supervisor", displayName: "王监督" },
  { role: "auditor", name: "auditor", displayName: "赵审计" },
  { role: "administrator", name: "admin", displayName: "陈管理" },
] as const;
export type StationNumber = (typeof stationsOfDemo)[number]["number"];
export const stationsOfDemo = [
  { number: "37150000000000000001", name: "县局一楼采集站" },
  { number: "37150000000000000002", name: "朱堂乡执法队采集站" },
] as const;

/** Recorders, with what the docking station measured of their clocks. */
export const recorders = {
  market: {
    serial: "44030620260000000123",
    collector: "000123",
    camera: "01",
    offsetMs: 1_800,
    station: 0,
    counter: 101,
  },
  plant: {
    serial: "44030620260000000456",
    collector: "000456",
    camera: "02",
    offsetMs: 95_000,
    station: 0,
    counter: 21,
  },
  village: {
    serial: "44030620260000000789",
    collector: "000789",
    camera: "03",
    offsetMs: -12_400,
    station: 1,
    counter: 7,
  },
} as const;
export type RecorderName = keyof typeof recorders;

/** Cases, with their parties in the title. The number is of the year in which the demo is run. */
export const cases = {
  market: { form: "朱综执立〔Y〕017号", title: "张某占道经营案" },
  night: { form: "朱综执立〔Y〕018号", title: "刘某夜市露天烧烤油烟扰民案" },
  plant: { form: "环罚立〔Y〕006号", title: "示范县兴旺建材厂违法排放废水案" },
  site: { form: "环罚立〔Y〕007号", title: "宏达建筑公司工地未采取防尘措施案" },
  passage: { form: "消检立〔Y〕031号", title: "惠民超市占用消防通道案" },
  yard: { form: "城执强〔Y〕003号", title: "陈某违法建设强制拆除案" },
} as const;
export type CaseName = keyof typeof cases;

export function caseNumber(name: CaseName, nowMs: number): string {
  return cases[name].form.replace("Y", shanghaiYear(nowMs));
}
