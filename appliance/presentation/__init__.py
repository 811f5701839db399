"""What command line, terminal UI and status page share: text safe to show, figures and times, states, and wording."""
