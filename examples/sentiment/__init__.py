"""What 10,605 sentences of film reviews say, by a language model with its tokenizer inside."""
