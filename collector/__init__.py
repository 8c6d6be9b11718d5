"""The central collector: what many boxes report, kept in one store for one fraud desk."""
