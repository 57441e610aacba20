/// The scripts that Git runs inside a repository when a push arrives.
enum GitHooks {
    static let spool = "slipway-spool"

    /// Runs before any ref moves: refuses what no push may do, and notes durably who pushes what. A push that is noted and then does not
    /// happen does no harm; one that happens has always been noted.
    ///
    /// Every value is quoted; names of refs have been limited to harmless letters before they are used.
    static let preReceive = """
        #!/bin/sh
        # Written by Slipway; changes here are lost at its next start.
        set -eu
        refuse() { printf 'slipway: %s\\n' "$1" >&2; [ -z "${part:-}" ] || rm -f -- "$part"; exit 1; }
        [ -n "${SLIPWAY_PUSHER:-}" ] || refuse "Push through the server: its address ends in /git/PROJECT.git"
        zero=0000000000000000000000000000000000000000
        main="refs/heads/${SLIPWAY_MAIN:-main}"
        mkdir -p \(spool)
        name="$(date +%s%N)-$$"
        part="\(spool)/.$name"
        printf '%s\\n' "$SLIPWAY_PUSHER" > "$part"
        count=0
        while read -r old new ref; do
          count=$((count + 1))
          [ "$count" -le 1000 ] || refuse "A push moves 1000 branches and tags at most."
          case "$ref" in
            *[!A-Za-z0-9._/+-]*|*/-*) refuse "A branch or tag has a name that Slipway does not take. Use letters, digits, dots, dashes, underscores, plus signs and slashes." ;;
            refs/heads/*|refs/tags/*) ;;
            *) refuse "'$ref' is neither a branch nor a tag." ;;
          esac
          [ "${#ref}" -le 211 ] || refuse "A branch has a name of 200 letters at most."
          if [ "$ref" = "$main" ]; then
            [ "$new" != "$zero" ] || refuse "The main line cannot be deleted: stage and prod stand on it."
            if [ "$old" != "$zero" ] && ! git merge-base --is-ancestor "$old" "$new"; then
              refuse "The main line only moves forward: its history is evidence. Fetch it, put your commits on top and push again: git pull --rebase"
            fi
          fi
          printf '%s %s %s\\n' "$old" "$new" "$ref" >> "$part"
        done
        sync -- "$part"
        mv -- "$part" "\(spool)/$name"
        sync -- \(spool)

        """

    /// Runs after the refs have moved, and tells the person who pushed. Nothing depends on it.
    static let postReceive = """
        #!/bin/sh
        # Written by Slipway; changes here are lost at its next start.
        [ -x "${SLIPWAY_PROGRAM:-}" ] || exit 0
        "$SLIPWAY_PROGRAM" push-advice "${SLIPWAY_PROJECT:-}" "${SLIPWAY_MAIN:-main}" 2>/dev/null || exit 0

        """
}
