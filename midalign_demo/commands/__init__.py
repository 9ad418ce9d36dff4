"""The commands of `midalign`, a module each with `add`, which describes it to the parser, and the function it runs."""
