// For the AI SDK: `useChat({ transport: greenroomTransport(client) })`.

export type { GreenroomMessage, GreenroomMetadata } from "./ai_sdk/chunks.js";
export { threadMessages } from "./ai_sdk/messages.js";
export { greenroomTransport, type GreenroomTransport, type GreenroomTransportOptions } from "./ai_sdk/transport.js";
