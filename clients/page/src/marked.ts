// Markdown as tokens: the lexer of marked (MIT, https://github.com/markedjs/marked). Nothing here makes HTML.

export { lexer, type Token, type Tokens } from "marked";
