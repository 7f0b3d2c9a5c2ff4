// An agent that does what adapters must show: text, thoughts, tools, questions, a sub-run, a crash, and going on after its server was lost.

export const AGENT = `
import greenroom, trio

@greenroom.agent(when_lost="again", takes=("text", greenroom.Files()))
async def agent(run, said):
    if run.attempt == 1:
        await run.partial_result(text="One ")
    for file in await run.files():
        words = (await run.read_file(file)).decode()
        await run.partial_result(text=f"{file.name} {file.media} {words} ")
    if said == "tools":
        async with run.tool("add", {"a": 1}) as tool:
            tool.result(2)
        try:
            async with run.tool("break"):
                raise ValueError("secret")
        except ValueError:
            pass
    if said == "team":
        async with run.thoughts() as thoughts:
            thoughts.write("Hm, ")
        async with run.sub_run(agent="scout", input="go") as scout:
            await scout.partial_result(text="found ")
            await scout.agent_thinking(text="deep down")
            async with scout.tool("dig"):
                pass
            await scout.partial_result(text="gold")
    if said == "crash":
        raise RuntimeError("secret")
    if said == "ask":
        sure = await run.ask("Sure?", options=["yes", "no"])
        await run.partial_result(text=sure)
    if said == "wait" and run.attempt == 1:
        await trio.sleep_forever()
    await run.partial_result(text="two")
`;
