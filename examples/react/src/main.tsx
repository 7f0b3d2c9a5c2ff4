import { GreenroomProvider } from "greenroom/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Chat } from "./Chat";
import "./style.css";

/** A link with `#token=…` signs in. The demo's server gives each browser a user of its own, and the same one again. */
async function getToken(): Promise<string> {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) return given;
  const kept = localStorage.getItem("token");
  const response = await fetch("/demo/token", kept ? { headers: { Authorization: `Bearer ${kept}` } } : {});
  if (!response.ok) throw new Error(`no token: ${response.status}`);
  const { token } = await response.json();
  localStorage.setItem("token", token);
  return token;
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <GreenroomProvider url="/live" getToken={getToken}>
      <Chat />
    </GreenroomProvider>
  </StrictMode>,
);
