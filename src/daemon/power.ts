/**
 * Whether this machine runs on its battery, as Linux tells.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const SUPPLIES = "/sys/class/power_supply";

/** False where there is no battery, or nobody can tell. @param directory with one directory for each source of power */
export function isOnBattery(directory: string = SUPPLIES): boolean {
  try {
    return readdirSync(directory).some((name) => {
      const supply = join(directory, name);
      // A mouse has a battery, too; its scope is the device.
      return read(supply, "type") === "Battery" && read(supply, "scope") !== "Device" && read(supply, "status") === "Discharging";
    });
  } catch {
    return false;
  }
}

function read(supply: string, name: string): string {
  try {
    return readFileSync(join(supply, name), "utf8").trim();
  } catch {
    return "";
  }
}
