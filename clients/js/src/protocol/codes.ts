// Close codes: docs/protocol.md, "Close codes".

export const NO_CODE = 1006; // RFC 6455 §7.1.5: the connection broke without a close frame
export const BAD_DATA = 1007;
export const FRAME_TOO_BIG = 1009;
export const HEARTBEAT_MISSED = 4101;
export const TOKEN_EXPIRING = 4104;
export const POSITION_LOST = 4106;
export const BAD_TOKEN = 4500;
export const PROTOCOL_ERROR = 4502;
export const IDENTITY_CHANGED = 4503;
export const SUPERSEDED = 4504;
export const RATE_LIMIT = 4507;
export const DISCONNECTED = 4509;

/** Whether the same client would be closed again, as it is. */
export const isRefusal = (code: number): boolean => code === BAD_DATA || code === FRAME_TOO_BIG || code >= 4500;
