// An agent that does what adapters must show: text, tools, questions, and going on after its server was lost.

export const AGENT = `
import greenroom, trio

@greenroom.agent(when_lost="again")
async def agent(run, said):
    if run.attempt == 1:
        await run.partial_result(text="One ")
    if said == "tools":
        async with run.tool("add", {"a": 1}) as tool:
            tool.result(2)
        try:
            async with run.tool("break"):
                raise ValueError("secret")
        except ValueError:
            pass
    if said == "ask":
        sure = await run.ask("Sure?", options=["yes", "no"])
        await run.partial_result(text=sure)
    if said == "wait" and run.attempt == 1:
        await trio.sleep_forever()
    await run.partial_result(text="two")
`;
