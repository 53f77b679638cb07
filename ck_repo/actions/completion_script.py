"""Scripts that a shell evaluates for completion of the command ck."""

from __future__ import annotations

_BASH = r"""_ck_complete() {
    local line="${COMP_LINE:0:COMP_POINT}" cur before reply
    cur="${line##* }"
    before="${cur%"${cur##*[:=]}"}"  # bash splits words after a colon or an equals sign
    COMPREPLY=()
    while IFS= read -r reply; do
        COMPREPLY+=("${reply#"$before"}")
    done < <("${COMP_WORDS[0]}" _complete "$line" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *[:=] ]]; then
        compopt -o nospace
    fi
}
complete -o default -F _ck_complete ck ck-repo
"""
_ZSH = r"""_ck_complete() {
    local -a found
    found=("${(@f)$(${words[1]} _complete "$LBUFFER" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then
        compadd -Q -S '' -- "${found[@]}"
    else
        _files
    fi
}
if ! whence compdef >/dev/null; then
    autoload -Uz compinit && compinit
fi
compdef _ck_complete ck ck-repo
"""
_FISH = r"""function __ck_complete
    set -l words (commandline -opc)
    $words[1] _complete (commandline -cp) 2>/dev/null
end
complete -c ck -a '(__ck_complete)'
complete -c ck-repo -a '(__ck_complete)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
