export {
  type Binding,
  bind,
  bindClip,
  bindingRevisions,
  type Correction,
  correctBinding,
  type WantedBinding,
} from "./bindings.ts";
export { type CaseFile, caseByNumber, caseOf, casesOpenedBy, listCases, openCase } from "./cases.ts";
export { addDocument } from "./documents.ts";
export { bindingSuggestions, type Suggestions } from "./suggestions.ts";
