"""The AI SDK's stream of message chunks: https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol."""
