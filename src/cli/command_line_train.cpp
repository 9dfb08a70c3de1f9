// jikji train …: its options.
#include "cli/command_tree.hpp"
#include "cli/commands.hpp"

namespace jikji::cli {

void CommandLine::add_train() {
    CLI::App& train = *command(root_, "train", "fine-tunes a model with your own samples",
                               "내 예문으로 모델을 미세 조정합니다");
    train.callback([this, &train] {  // also called after that of a subcommand
        if (train.get_subcommands().empty()) action_ = [this] { return cli::train(train_); };
    });
    add_train_flags(train);
    add_train_jobs(train);
}

void CommandLine::add_train_flags(CLI::App& train) {
    train_.common.language = language_;
    train.add_option("--data", train_.samples,
                     t("samples: JSON lines (chat, alpaca or text) or plain text",
                       "예문 파일: JSON Lines(대화, 알파카, 글) 또는 일반 글"));
    train.add_option("--model", train_.model, t("the model to start from", "바탕이 될 모델"));
    train.add_option("--suffix", train_.suffix,
                     t("a word of the new model's name", "새 모델 이름에 넣을 말"));
    train.add_option("--epochs", train_.epochs, t("times through all samples (3)", "반복 횟수(3)"));
    train.add_option("--batch-size", train_.batch_size,
                     t("samples of one step (4)", "한 단계의 예문 수(4)"));
    train.add_option("--learning-rate", train_.learning_rate, t("(3e-4)", "학습률(3e-4)"));
    train.add_option("--warmup-steps", train_.warmup_steps,
                     t("steps until the full rate (100, fewer in a short run)",
                       "학습률이 다 오를 때까지의 단계(100, 짧은 학습은 더 적게)"));
    train.add_option("--rank", train_.rank, t("of the adapter (8)", "어댑터의 랭크(8)"));
    train.add_option("--alpha", train_.alpha, t("its scale times its rank (16)", "알파(16)"));
    train.add_option("--dropout", train_.dropout, t("while training (0.05)", "드롭아웃(0.05)"));
    train.add_option("--target", train_.target,
                     t("weights with an adapter (q_proj,v_proj); also k_proj, o_proj, gate_proj, "
                       "up_proj, down_proj",
                       "어댑터를 붙일 곳(q_proj,v_proj). k_proj, o_proj, gate_proj, up_proj, "
                       "down_proj도 됩니다"));
    train.add_option("--template", train_.template_name,
                     t("auto, model (its chat template) or alpaca",
                       "auto, model(모델의 대화 템플릿), alpaca 중 하나"));
    train.add_option("--max-length", train_.max_length,
                     t("tokens of a sample; longer ones are left out",
                       "예문의 최대 토큰 수. 더 긴 것은 뺍니다"));
    train.add_option(
        "--held-out", train_.held_out,
        t("share of the samples to test with (0.1)", "평가용으로 남길 예문의 비율(0.1)"));
    train.add_option("--seed", train_.seed,
                     t("same seed, same model", "시드가 같으면 결과도 같음"));
    train
        .add_option("--data-folder", train_.common.data,
                    t("data folder (--data of other commands)", "데이터 폴더(다른 명령의 --data)"))
        ->envname("JIKJI_DATA");
    train.add_option("--models", train_.common.models, t("models folder", "모델 폴더"))
        ->envname("JIKJI_MODELS");
    train.add_option("--api-key", train_.common.api_key, t("key of the server", "서버의 키"))
        ->envname("JIKJI_API_KEY");
    json_flag(train, train_.json);
}

void CommandLine::add_train_jobs(CLI::App& train) {
    const auto add = [this, &train](const char* name, std::string_view english,
                                    std::string_view korean,
                                    int (*work)(const TrainCommandOptions&), bool of_one) {
        CLI::App& made =
            *command(train, name, english, korean, [this, work] { return work(train_); });
        if (of_one) {
            made.add_option("job", train_.job, t("its id, ftjob-…", "작업 id, ftjob-…"))
                ->required();
        }
        made.add_option("--data,--data-folder", train_.common.data, t("data folder", "데이터 폴더"))
            ->envname("JIKJI_DATA");
        made.add_option("--models", train_.common.models, t("models folder", "모델 폴더"))
            ->envname("JIKJI_MODELS");
        made.add_option("--api-key", train_.common.api_key, t("key of the server", "서버의 키"))
            ->envname("JIKJI_API_KEY");
        json_flag(made, train_.json);
    };
    add("list", "all jobs, newest first", "모든 작업, 새것부터", train_list, false);
    add("show", "one job and what it says", "작업 하나와 그 기록", train_show, true);
    add("cancel", "ends a job; what it learnt is dropped", "작업을 끝내고 배운 것을 버립니다",
        train_cancel, true);
    add("pause", "stops a job after writing a checkpoint", "체크포인트를 쓰고 작업을 멈춥니다",
        train_pause, true);
    add("resume", "goes on with a job, and shows it", "멈춘 작업을 이어서 하고 보여 줍니다",
        train_resume, true);
}

}  // namespace jikji::cli
