"""Published ideas in their plainest form, to be judged beside the methods of `detection`."""
