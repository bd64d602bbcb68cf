import {
  defaultZone,
  recordHeartbeat,
  recordRecorders,
  recordStationLog,
  recordsOf,
  stationLogKinds,
  unitOf,
  wallTime,
} from "#gateway";
import type { GatewaySettings, HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { done } from "./answers.ts";
import { gatewayStationOf } from "./guard.ts";

const hide = true;

/** What a station tells of itself and its recorders, and what it asks for beside files. */
export function gatewayReportRoutes(app: App, deps: HttpDependencies, settings: GatewaySettings): void {
  app.get("/v3/ping", { config: { access: "public", operation: "gateway.ping" }, schema: { hide } }, async () =>
    done({ svrtime: wallTime(new Date(), defaultZone) }),
  );
  app.post(
    "/v3/wsinfo/heartbeat",
    { config: { access: "gateway", operation: "gateway.heartbeat" }, schema: { hide } },
    async (request) => {
      const station = gatewayStationOf(request);
      await recordHeartbeat(deps.db, station, request.body, settings);
      const unit = await unitOf(deps.db, station.actor.organizationId);
      return done({
        gzz_xh: station.number,
        name: station.name,
        bmbh: unit.id,
        bmmc: unit.name,
        svrtime: wallTime(new Date(), station.zone),
      });
    },
  );
  app.post(
    "/v3/dsjinfo",
    { config: { access: "gateway", operation: "gateway.dsjinfo" }, schema: { hide } },
    async (request) => {
      const records = recordsOf(request.body);
      await recordRecorders(deps.db, gatewayStationOf(request), records);
      return done({ accepted: records.length });
    },
  );
  for (const kind of stationLogKinds) {
    app.post(
      `/v3/log/${kind}`,
      { config: { access: "gateway", operation: `gateway.${kind}` }, schema: { hide } },
      async (request) => {
        const records = recordsOf(request.body);
        await recordStationLog(deps.db, gatewayStationOf(request), kind, records);
        return done({ accepted: records.length });
      },
    );
  }
  app.get(
    "/v3/suborg",
    { config: { access: "gateway", operation: "gateway.suborg" }, schema: { hide } },
    async (request) => {
      const unit = await unitOf(deps.db, gatewayStationOf(request).actor.organizationId);
      return done([{ bmbh: unit.id, bmmc: unit.name, sjbmbh: null }]);
    },
  );
  // Names and numbers of people are given to nobody on a shared key; stations take them from the recorders.
  app.get(
    "/v3/userinfo",
    { config: { access: "gateway", operation: "gateway.userinfo" }, schema: { hide } },
    async () => done([]),
  );
}
