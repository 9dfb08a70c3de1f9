import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { words, type Words } from './words';

/// The words of the chosen language.
export const WordsContext = createContext<Words>(words.en);

export function useWords(): Words {
    return useContext(WordsContext);
}
