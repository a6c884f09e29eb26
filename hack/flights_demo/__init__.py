"""The demo of hack/demo: real flights, real traffic, five scenes."""
