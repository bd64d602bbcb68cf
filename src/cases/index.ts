export {
  type Binding,
  bind,
  bindClip,
  bindingRevisions,
  type Correction,
  correctBinding,
  type WantedBinding,
} from "./bindings.ts";
export { type CaseFile, caseOf, listCases, openCase } from "./cases.ts";
