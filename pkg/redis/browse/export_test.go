package browse

// Guard is the script that edits are made with.
const Guard = guard
