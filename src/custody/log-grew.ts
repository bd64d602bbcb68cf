/** Channel of NOTIFY on which the sequencer says that entries were added to the log. */
export const logGrew = "dockseal_log_grew";
