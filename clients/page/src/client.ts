// The client of npm's `greenroom`, for pages of others: import { connect } from ".../client.js".

export * from "greenroom";
