// For AG-UI: `new GreenroomAgent({ client })`.

export { GreenroomAgent, type GreenroomAgentConfig } from "./ag_ui/agent.js";
