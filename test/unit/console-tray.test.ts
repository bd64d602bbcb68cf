import t from "tap";
import { inCommon } from "../../src/console/tray/in-common.ts";
import {
  allOrNone,
  chosenOnly,
  moved,
  nothingChosen,
  placeOf,
  rangeTo,
  type Selection,
  toggled,
} from "../../src/console/tray/selection.ts";

// What the keys of the tray do to the choice of rows.

const ids = ["a", "b", "c", "d", "e"];
const chosen = ({ chosen: set }: Selection): string => [...set].sort().join("");

t.test("rows are chosen one by one and in ranges, and none that somebody did not choose", async (t) => {
  let selection = toggled(ids, nothingChosen, undefined);
  t.equal(chosen(selection), "a", "the keyboard begins at the first row");
  selection = moved(ids, selection, 2, false);
  t.equal(chosen(selection), "a", "moving chooses nothing");
  selection = moved(ids, selection, 1, true);
  t.equal(chosen(selection), "acd", "extending chooses from where it began, beside what was chosen");
  selection = moved(ids, selection, -1, true);
  t.equal(chosen(selection), "ac", "a range shrinks again");
  selection = moved(ids, selection, -1, true);
  t.equal(chosen(selection), "abc", "and grows to the other side");
  selection = toggled(ids, selection, "c");
  t.equal(chosen(selection), "ab");
  t.equal(placeOf(ids, selection), 2, "a click moves the keyboard there");
  t.equal(chosen(rangeTo(ids, selection, 4)), "abcde", "a click with shift is a range from there");
  t.equal(placeOf(ids, moved(ids, selection, 1e9, false)), 4, "the end is the end");
  t.equal(placeOf(ids, moved(ids, selection, -1e9, false)), 0);
  t.equal(chosen(allOrNone(ids, selection)), "abcde");
  t.equal(chosen(allOrNone(ids, allOrNone(ids, selection))), "", "all, and none");
  t.equal(chosen(chosenOnly(selection, ["d"])), "d", "what failed stays chosen");
});

t.test("a list that changes meanwhile moves nobody's choice to another row", async (t) => {
  const selection = toggled(ids, moved(ids, nothingChosen, 2, false), undefined);
  const arrived = ["new", ...ids];
  t.equal(chosen(selection), "c");
  t.equal(arrived[placeOf(arrived, selection)], "c", "the keyboard stays at its row");
  t.equal(chosen(toggled(arrived, selection, undefined)), "", "and acts on it");
  const gone = ["a", "b", "d", "e"];
  t.equal(gone[placeOf(gone, selection)], "d", "when it is gone, the one in its place is next");
  t.equal(placeOf([], selection), -1);
  t.equal(placeOf(["a"], selection), 0);
  t.same(moved([], selection, 1, true), selection, "in an empty list nothing happens");
  t.same(toggled([], selection, undefined), selection);
});

t.test("what clips have in common is told from what each keeps", async (t) => {
  t.match(inCommon(["x", "x"]), { same: "x", missing: 0 });
  t.same(inCommon(["x", "y", "x"]), { values: ["x", "y"], missing: 0, same: undefined });
  t.same(
    inCommon(["x", null, ""]),
    { values: ["x"], missing: 2, same: undefined },
    "with one missing it is not of all",
  );
  t.same(inCommon([null]), { values: [], missing: 1, same: undefined });
});
