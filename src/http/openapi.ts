/** The head of the OpenAPI document; the rest is gathered from the routes' schemas. */
export const openApi = {
  openapi: "3.1.0",
  info: {
    title: "dockseal",
    version: "1",
    description:
      "Footage from docking stations, made evidence. Errors are problem documents (RFC 9457), each with what to do in `advice`; docs/problems.md lists them all.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  components: {
    securitySchemes: {
      station: { type: "http" as const, scheme: "bearer", description: "Token of a docking station" },
      session: {
        type: "apiKey" as const,
        in: "cookie" as const,
        name: "dockseal_session",
        description: "Session of a person; changes also need the header `x-csrf-token`",
      },
    },
  },
  tags: [
    { name: "clips", description: "Recordings: send, find, read, verify" },
    { name: "recorders", description: "Recorders, what belongs together on their time lines, and what is missing" },
    { name: "uploads", description: "Resumable uploads (tus 1.0): recordings over bad lines" },
    { name: "cases", description: "Cases and the bindings of clips to them" },
    { name: "audits", description: "Fixity audits: what is stored is read again and compared" },
    { name: "exports", description: "Bags of cases and clips, for courts and other parties" },
    { name: "identity", description: "Sessions, people, organizations, docking stations" },
    { name: "log", description: "The public custody log" },
    { name: "operation", description: "Health and figures" },
  ],
};
